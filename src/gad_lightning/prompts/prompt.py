"""The text around the frames, and where each token stands; no other module computes a position."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.parts import Part
from gad_lightning.prompts.layout import Branches, Text, Trunk, assemble, lay_next
from gad_lightning.prompts.memory import VerbalizedMemory
from gad_lightning.schema import DataSchema
from gad_lightning.types import Tokens, Vocabulary

LEARNED = re.compile(r"(<[a-z_]+>)")
"""A learned vector among the text of an opener, such as ``<cls>``."""


class Prompt(Part):
    r"""The text around the frames, and the layout of what the language model reads.

    A sample is one row of tokens: first its trunk, ``question frame frame frame ...``, then its branches. A branch
    hangs off the frame that a query asks about: it sees the question and the frames up to that one, and no other
    branch. It begins with the opener, such as ``<cls>`` or ``"\nAssistant:"``. The opener's last token is the slot,
    where the class is read or the answer begins. So one pass over a trunk serves queries about all of its frames.

    Args:
        question: what is asked, per task name if a mapping.
        template: the prompt; ``{question}`` is replaced.
        separator: text before every frame but the first, such as ``","``.
        opener: text with which a branch begins; ``<name>`` is a learned vector. None takes the classifier's own.
            With an empty one the slot is the last visual token, as :class:`LastVisualSlot` has it.
        answer_prefix: fixed text before a written answer.
        supervise_prefix: whether the fixed text before an answer is learned too, as in the published code.

    Source: the online prompt of the published code of Pang et al., ICLR 2026.
    """

    def __init__(
        self,
        question: str | dict[str, str] = "What is the action in the last frame?",
        template: str = "{question}\n",
        separator: str = "",
        opener: str | None = None,
        answer_prefix: str = "\nAssistant:",
        supervise_prefix: bool = False,
    ) -> None:
        self.question = question
        self.template = template
        self.separator = separator
        self.opener = opener
        self.answer_prefix = answer_prefix
        self.supervise_prefix = supervise_prefix

    def texts(self, schema: DataSchema, opener: str) -> list[str]:
        """All text that this prompt can contain, for backbones that make their tokenizer of it."""
        return [*(self.text(task.name) for task in schema.tasks), self.separator, self.answer_prefix, opener, ","]

    def text(self, task: str) -> str:
        """The prompt of a task.

        Raises:
            SettingError: if the task has no question.
        """
        if isinstance(self.question, str):
            return self.template.format(question=self.question)
        if task not in self.question:
            raise SettingError(
                f"prompt.question has no question for the task {task!r}.", "add one, or give one for all"
            )
        return self.template.format(question=self.question[task])

    def prepare(
        self, schema: DataSchema, vocabulary: Vocabulary, opener: str, memory: VerbalizedMemory | None = None
    ) -> None:
        """Encode the fixed text and reserve the learned vectors.

        Args:
            schema: classes, tasks and features.
            vocabulary: the backbone's.
            opener: with which a branch begins; its last token is the slot.
            memory: prepared; its text stands at the end of each prompt.
        """
        begin = [] if vocabulary.begin is None else [vocabulary.begin]
        self.memory, empty = memory, [] if memory is None else [memory.nothing] * memory.length
        prompts = [begin + vocabulary.encode(self.text(task.name)) + empty for task in schema.tasks]
        self.prompt_lengths = torch.tensor([len(ids) for ids in prompts])
        self.prompt_ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(ids) for ids in prompts], batch_first=True)
        self.separator_ids = torch.tensor(
            vocabulary.encode(self.separator) if self.separator else [], dtype=torch.int64
        )
        self.opener_ids, self.opener_written = _encode_opener(opener, vocabulary)
        self.tokens_per_frame, self.width = schema.features.tokens_per_frame, schema.features.width

    def check_alike(self, one: Tensor, other: Tensor) -> None:
        """Refuse pairs of tasks, (Q,) each, with different questions: their queries would share one trunk.

        Raises:
            SettingError: if there is such a pair.
        """
        apart = (self.prompt_ids[one] != self.prompt_ids[other]).any(1)
        if bool(apart.any()):
            raise SettingError(
                "Several tasks ask about one stretch of video, each in other words, and its prompt has one question.",
                "give prompt.question as one text for all tasks, or ask one task (data.tasks) a classifier",
            )

    @property
    def group(self) -> int:
        """Tokens of a frame: its separator and its N visual tokens."""
        return self.tokens_per_frame + len(self.separator_ids)

    def trunk_length(self, frames: int, task: int = 0) -> int:
        """Tokens of prompt and ``frames`` frames."""
        return int(self.prompt_lengths[task]) + max(0, frames * self.group - len(self.separator_ids))

    def render(
        self,
        frame_counts: Tensor,
        room: int,
        sample: Tensor,
        anchor: Tensor,
        task: Tensor,
        answers: Text | None = None,
        begin: Tensor | None = None,
        lead: Tensor | None = None,
    ) -> Tokens:
        """Lay out B samples and the openers and answers of Q queries; see :meth:`lay_out` and :meth:`branches`."""
        return self.lay_out(frame_counts, room, task, self.branches(sample, anchor, answers, lead=lead), begin)

    def lay_out(
        self,
        frame_counts: Tensor,
        room: int,
        task: Tensor,
        branches: Branches,
        begin: Tensor | None = None,
        remembered: Tensor | None = None,
    ) -> Tokens:
        """Lay out B samples and their branches; all arguments on the CPU.

        Args:
            frame_counts: (B,) frames of each sample, those already in a cache included.
            room: F, frames per sample in the tensor that will be embedded.
            task: (B,) the task whose prompt each sample has.
            branches: what hangs off the frames.
            begin: (B,) first frame to lay out: the prompt and the frames before it are in a cache. -1 lays out all.
            remembered: (B, K) classes that the memory of each sample holds; none by default.

        Returns:
            One row a sample: the trunk, then its branches in their order.
        """
        prompt_ids = self.prompt_ids[task]
        if self.memory is not None and remembered is not None:
            place = self.prompt_lengths[task].unsqueeze(1) + torch.arange(-self.memory.length, 0)
            prompt_ids = prompt_ids.scatter(1, place, self.memory.tokens(remembered))
        trunk = Trunk(
            prompt_ids=prompt_ids,
            prompt_lengths=self.prompt_lengths[task],
            separator=self.separator_ids,
            tokens_per_frame=self.tokens_per_frame,
            frame_counts=frame_counts,
            begin=torch.full_like(frame_counts, -1) if begin is None else begin,
            room=room,
        )
        return assemble(trunk, branches)

    def branches(
        self,
        sample: Tensor,
        anchor: Tensor,
        answers: Text | None = None,
        beside: Sequence[Text] = (),
        lead: Tensor | None = None,
    ) -> Branches:
        """Put openers and texts of Q queries together.

        Args:
            sample: (Q,) the sample of each query.
            anchor: (Q,) its frame, counted from the sample's first.
            answers: text after the openers.
            beside: texts on further branches of the queries, which neither see a slot nor are seen by one.
            lead: (Q, L) ids of texts before the openers, -1 after the end of a row.

        Returns:
            The slots' branches in the order of the queries, then those beside them.
        """
        ids = self.opener_ids.expand(len(sample), -1)
        target = torch.zeros_like(ids, dtype=torch.bool)
        if answers is not None:
            written = self._with_prefix(answers)
            before = self.opener_written & written.target.any(1, keepdim=True) & self.supervise_prefix
            ids, target = torch.cat([ids, written.ids], 1), torch.cat([before, written.target], 1)
        slot = torch.full_like(sample, len(self.opener_ids) - 1)
        if lead is not None:
            ids = torch.cat([lead, ids], 1)
            target = torch.cat([torch.zeros_like(lead, dtype=torch.bool), target], 1)
            order = (ids < 0).int().argsort(dim=1, stable=True)  # no gap behind a short lead
            ids, target, slot = ids.gather(1, order), target.gather(1, order), slot + (lead >= 0).sum(1)
        ids, target = Text.stacked([Text(ids, target), *(self._with_prefix(text) for text in beside)])
        every = torch.arange(len(sample)).repeat(1 + len(beside))
        return Branches(ids, target, sample[every], anchor[every], every, slot)

    def _with_prefix(self, text: Text) -> Text:
        """Make the fixed text before an answer a target too, if ``supervise_prefix`` says so."""
        ids, target = text
        if self.supervise_prefix:
            target = target.flip(1).cumsum(1).flip(1) > 0  # (Q, L): up to the last target
        return Text(ids, target)

    def extend(
        self, sample: Tensor, anchor: Tensor, task: Tensor, query: Tensor, ids: Tensor, written: Tensor
    ) -> Tokens:
        """Lay out further tokens of some branches whose rows are in a cache; ``slots`` are the last ones.

        Args:
            sample: (n,) row of each branch.
            anchor: (n,) its frame.
            task: (B,) task of each sample.
            query: (n,) its number in the batch.
            ids: (n, L) the tokens, -1 after the end.
            written: (n,) tokens written after the opener before these.
        """
        separators = len(self.separator_ids)
        position = (
            self.prompt_lengths[task][sample] + (anchor + 1) * self.group - separators + len(self.opener_ids) + written
        )
        return lay_next(len(task), sample, anchor, query, ids, position)


def _encode_opener(opener: str, vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """Ids (O,) of an opener, its learned vectors reserved; and which of them can be written (O,)."""
    pieces = [piece for piece in LEARNED.split(opener) if piece]
    encoded = [
        [vocabulary.new_token(piece)] if LEARNED.fullmatch(piece) else vocabulary.encode(piece) for piece in pieces
    ]
    ids = torch.tensor([token for piece in encoded for token in piece], dtype=torch.int64)
    # a learned vector is given, never written, and so is the text before one: only what follows the last can be written
    fixed = len(encoded[-1]) if pieces and not LEARNED.fullmatch(pieces[-1]) else 0
    return ids, torch.arange(len(ids)) >= len(ids) - fixed

"""The paper's ablation of the order: text beside the slot, or context before it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gad_lightning.backbones.base import Backbone
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from gad_lightning.objectives.write_answer import WriteAnswer
from gad_lightning.prompts.answers import NO_ANSWER, Answer, context_queries, stack
from gad_lightning.prompts.contexts.auto import AutoContext
from gad_lightning.prompts.contexts.no_context import NoContext
from gad_lightning.prompts.layout import Branches, Text
from gad_lightning.readouts.base import BranchDecoder
from gad_lightning.readouts.nearest import write_freely
from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch, Predictions

Order = Literal["discriminative_first", "parallel", "generative_first"]
CONTEXT_OPENER = "<context_first>"
"""The learned vector with which the context begins if the slot comes after it."""


class WriteParallel(WriteAnswer):
    """The answer stands on a branch of its own: text and slot share the trunk and do not see one another.

    Args:
        **writing: see :class:`WriteAnswer`.

    Source: Pang et al., ICLR 2026, ablation of the order; Yu et al., CoCa, TMLR 2022, whose two losses part likewise.
    """

    follows_slot: ClassVar[bool] = False

    def text(self, batch: Batch) -> Text | None:
        """Nothing follows the slot."""
        return None

    def text_beside(self, batch: Batch) -> Text | None:
        """The answers."""
        return super().text(batch)


class WriteContextFirst(WriteAnswer):
    """The context is written first and the slot stands after it; the label is written on a branch of its own.

    The paper gives no rule, so this is our reading. In training the slot follows the true context, at test the one that
    the model writes. The slot must not see the label, nor a context that was written in sight of the label: it would
    learn to copy the answer. So the context comes before the label here, and the label's branch sees the trunk alone.

    In training every query has its context in sight; only those that are chosen to be answered learn to write it. A
    context that looks at the label itself, such as the published previous action, tells the slot something of it.

    Args:
        **writing: see :class:`WriteAnswer`.

    Raises:
        SettingError: without a context: the slot would follow nothing.

    Source: Pang et al., ICLR 2026, ablation of the order.
    """

    follows_slot: ClassVar[bool] = False

    def prepare(self, schema: DataSchema, backbone: Backbone, prefix: str) -> None:
        """Encode the classes, if there is a context to write first."""
        if isinstance(self.context, AutoContext):
            raise SettingError(
                "With the order generative_first the context is written at test, and AutoContext has none at first.",
                "name a context, such as the one that gad-lightning choose-context prints",
            )
        if isinstance(self.context, NoContext):
            raise SettingError(
                "With the order generative_first the slot follows the context, and there is none.",
                "set context, or order: parallel, which then differs in nothing else",
            )
        super().prepare(schema, backbone, prefix)
        self.schema = schema

    def text(self, batch: Batch) -> Text | None:
        """The contexts of all queries; only those of the chosen ones are targets."""
        writer, every = self.answer_writer, torch.ones(len(batch.label), dtype=torch.bool)
        contexts = [
            Answer(NO_ANSWER)
            if query is None
            else Answer([*writer.join(self.context.written(query), task), writer.vocabulary.end])
            for query, task in zip(context_queries(batch, self.schema, every), batch.task.tolist(), strict=True)
        ]
        ids, target = stack(contexts)
        return Text(ids, target & self.chosen(batch).unsqueeze(1))

    def text_beside(self, batch: Batch) -> Text | None:
        """The labels of the chosen queries, unless the context is to be written without."""
        if not self.context.with_label:
            return None
        queries = context_queries(batch, self.schema, self.chosen(batch))
        return stack(
            [
                Answer(NO_ANSWER) if query is None else self.answer_writer.write([query.label], task, own=1)
                for query, task in zip(queries, batch.task.tolist(), strict=True)
            ]
        )


ORDERS: dict[Order, type[WriteAnswer]] = {
    "discriminative_first": WriteAnswer,
    "parallel": WriteParallel,
    "generative_first": WriteContextFirst,
}


class OrderedGADClassifier(GADClassifier):
    """GAD with slot and text in another order.

    Args:
        order: ``parallel``: text and slot do not see one another; ``generative_first``: the slot comes after the
            context, see :class:`WriteContextFirst`, so the context is written at test too, one forward pass a token;
            ``discriminative_first``: the text after the slot, as :class:`GADClassifier` has it (the paper's best).
        **gad: see :class:`GADClassifier`.

    Source: Pang et al., ICLR 2026, ablation of the order.
    """

    training_only: ClassVar[tuple[str, ...]] = (
        *DiscriminativeClassifier.training_only,
        "generation_weight",
        "answer_fraction",
    )

    def __init__(self, order: Order = "parallel", **gad: Any) -> None:
        super().__init__(**gad)
        self.order = order
        self.warned = False
        self.objectives[0] = ORDERS[order](**self._write.arguments)

    @property
    def _write(self) -> WriteAnswer:
        """The objective that writes the answer."""
        assert isinstance(self.writing, WriteAnswer), "GAD writes"
        return self.writing

    def complete(self) -> None:
        """Let branches begin with the context, if the slot comes after it.

        Raises:
            SettingError: if the slot is told of frames, as it is written at test then.
        """
        self.slot_ids = self.prompt.opener_ids
        if self.order == "generative_first":
            if self.slot_reach:
                raise SettingError(
                    f"slot is {type(self.slot).__name__}, and with order: generative_first the slot is told nothing of "
                    "the frames.",
                    "take another order, or slot: gad_lightning.LearnedSlot",
                )
            self.prompt.prepare(self.schema, self.backbone.vocabulary, CONTEXT_OPENER, self.memory)
        super().complete()

    def branches(
        self, batch: Batch, answers: Text | None = None, beside: Sequence[Text] = (), lead: Tensor | None = None
    ) -> Branches:
        """Put the slot after the context, if that is the order and the context is known."""
        if self.order != "generative_first" or answers is None:
            return super().branches(batch, answers, beside)
        branches = super().branches(batch, _close(answers, self.slot_ids), beside)
        length = (branches.ids >= 0).sum(1)
        return branches._replace(slot=length[: len(batch.sample)] - 1)

    @property
    def text_follows_slot(self) -> bool:
        """Only if the slot comes first."""
        return self.order == "discriminative_first"

    @property
    def context_length(self) -> int:
        """Most tokens of a context that is written at test; at least what earlier versions wrote."""
        writer = self._write.writer()
        context = writer.longest_context + 1
        return max(context, 2 * writer.longest_label + writer.longest_goal + 2 * len(writer.comma) + 1)

    def room(self, branches: int) -> int:
        """Room for the context, its end and the slot that are written at test; none if the slot comes first."""
        return branches * self.written_length

    @property
    def written_length(self) -> int:
        """Tokens that are written at test on a branch."""
        return self.context_length + 1 + len(self.slot_ids) if self.order == "generative_first" else 0

    @property
    def longest_branch(self) -> int:
        """Opener and answer, or opener, context and slot."""
        return max(super().longest_branch, len(self.prompt.opener_ids) + self.written_length)

    def scores(self, batch: Batch) -> Predictions:
        """Head at the slot, which is put after a written context if that is the order."""
        if self.order != "generative_first":
            return super().scores(batch)
        with self.turns, torch.no_grad():
            tokens, frames, task = self.render(batch), self.frames(batch), self.sample_task(batch)
            branches = BranchDecoder.prefill(self.backbone, self.prompt, tokens, frames, batch, task, self.room)
            scores, logits = self.score_branches(branches, batch.task)
        asked = (batch.video, batch.query_index, batch.task, batch.frame, batch.label)
        return Predictions(*asked, scores, logits, branches.slot_states)

    def score_branches(self, branches: BranchDecoder, task: Tensor) -> tuple[Tensor, Tensor]:
        """Head at the slots, which are put after the written contexts if that is the order."""
        if self.order == "generative_first" and len(branches):
            self._write_contexts(branches)
        return super().score_branches(branches, task)

    @torch.no_grad()
    def _write_contexts(self, branches: BranchDecoder) -> None:
        """Write greedily on every branch until the end token, then the slot; ``branches.slot_states`` become its."""
        if not self.warned:
            warnings.warn("generative_first writes its context at test: one forward pass a token.", stacklevel=2)
            self.warned = True
        end = self.backbone.vocabulary.end
        texts, _ = write_freely(branches, end, self.context_length)
        left = [
            torch.tensor([*text[written:], end, *self.slot_ids.tolist()])
            for text, written in zip(texts, branches.written.tolist(), strict=True)
        ]
        ids = pad_sequence(left, batch_first=True, padding_value=-1)
        branches.slot_states = branches.append(torch.arange(len(branches)), ids)


def _close(text: Text, closing: Tensor) -> Text:
    """Put ``closing`` (c,), which is no target, after the end of each row.

    Example:
        >>> text = Text(torch.tensor([[5, 6], [7, -1]]), torch.tensor([[False, True], [False, False]]))
        >>> _close(text, torch.tensor([9])).ids.tolist()
        [[5, 6, 9], [7, 9, -1]]
    """
    every = closing.expand(len(text.ids), -1)
    ids = torch.cat([text.ids, every], 1)
    target = torch.cat([text.target, torch.zeros_like(every, dtype=torch.bool)], 1)
    order = (ids < 0).int().argsort(dim=1, stable=True)
    return Text(ids.gather(1, order), target.gather(1, order))

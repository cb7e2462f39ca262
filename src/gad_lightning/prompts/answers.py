"""Answers as token ids: every class of every task, and the answers to the queries of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery
from gad_lightning.prompts.labels.base import LabelTokens
from gad_lightning.prompts.layout import Text
from gad_lightning.schema import DataSchema
from gad_lightning.segments import Segment
from gad_lightning.types import IGNORED, Batch, Vocabulary, first_class

NO_ANSWER: list[int] = []
"""The answer of a query that is not answered."""


class Answer(NamedTuple):
    """Token ids after an opener."""

    ids: list[int]
    template: int = 0  # how many of them are fixed text, which is not learned


class AnswerWriter:
    r"""Writes labels and contexts as token ids, every answer closed by the end token (but see ``WordLabels``).

    Args:
        schema: classes, tasks and goals.
        labels: how a class is written.
        context: what is told beside it.
        vocabulary: the backbone's.
        prefix: fixed text before the answer, such as ``"\nAssistant:"``; empty if the opener says it.

    Raises:
        SettingError: if two classes of a task are written alike.
    """

    def __init__(
        self,
        schema: DataSchema,
        labels: LabelTokens,
        context: AuxiliaryContext,
        vocabulary: Vocabulary,
        prefix: str = "",
    ) -> None:
        self.schema = schema
        self.context, self.close_background = context, labels.close_background
        self.vocabulary = vocabulary
        self.prefix = vocabulary.encode(prefix) if prefix else []
        self.comma = vocabulary.encode(",")
        self.lead = 0  # most tokens that stand on a branch before its opener
        written = {labels_of: labels.tokens(labels_of.names, vocabulary) for labels_of in schema.label_sets}
        self.label_ids = [written[task.labels] for task in schema.tasks]
        for task, rows in zip(schema.tasks, self.label_ids, strict=True):
            first: dict[tuple[int, ...], str] = {}
            for name, ids in zip(task.labels.names, rows, strict=True):
                if not ids:
                    raise SettingError(
                        f"The class {name!r} is written with no token: the tokenizer knows none of its letters.",
                        "use other label tokens, or a tokenizer that fits the language model",
                    )
                other = first.setdefault(tuple(ids), name)
                if other != name:
                    raise SettingError(
                        f"The classes {other!r} and {name!r} are written with the same tokens {ids}.",
                        "use other label tokens, or class names that the tokenizer tells apart",
                    )

        self.longest_label = max(len(ids) for rows in self.label_ids for ids in rows)
        self.longest_goal = max((len(vocabulary.encode(f" {name}")) for name in schema.goals), default=0)

    @property
    def longest_context(self) -> int:
        """Most tokens of the context, with its commas, as it states itself."""
        return self.context.longest(self.longest_label, self.longest_goal, len(self.comma))

    @property
    def longest(self) -> int:
        """Most tokens of an answer: prefix, label, context and end."""
        label = self.longest_label if self.context.with_label else 0
        return len(self.prefix) + label + self.longest_context + 1

    def label_answers(self, task: int) -> list[list[int]]:
        """Per class of a task, its ids and the end token: what a readout may choose from."""
        return [[*ids, self.vocabulary.end] for ids in self.label_ids[task]]

    def answers(self, batch: Batch, chosen: Tensor) -> list[Answer]:
        """Answer of every query of a batch; an empty one where it is not ``chosen`` (Q,) or the label is unknown."""
        return [
            Answer(NO_ANSWER)
            if query is None
            else self.write(self.context.parts(query), task, int(self.context.with_label))
            for query, task in zip(context_queries(batch, self.schema, chosen), batch.task.tolist(), strict=True)
        ]

    def write(self, parts: Sequence[int | str], task: int, own: int = 0) -> Answer:
        """Join the parts of an answer, put the prefix before and the end token after it; no parts are no answer."""
        ids = self.join(parts, task, own)
        if not ids:
            return Answer(NO_ANSWER)
        background = self.schema.tasks[task].labels.background
        closed = self.close_background or not own or background is None or list(parts) != [background]
        return Answer([*self.prefix, *ids, *([self.vocabulary.end] if closed else [])], len(self.prefix))

    def join(self, parts: Sequence[int | str], task: int, own: int = 0) -> list[int]:
        """Token ids of the parts of an answer, commas between them.

        The first ``own`` parts are classes of the task; those of a context are of the first task, as segments are.

        Raises:
            SettingError: if a context names a class that there is not.
        """
        ids: list[int] = []
        for place, part in enumerate(parts):
            ids += self.comma if ids else []
            known = self.label_ids[task if place < own else 0]
            if isinstance(part, int) and not 0 <= part < len(known):
                raise SettingError(
                    f"{type(self.context).__name__}.context gave the class {part}: there are 0 to {len(known) - 1}.",
                    "return indices of classes, and strings for all else",
                )
            ids += known[part] if isinstance(part, int) else self.vocabulary.encode(f" {part}")
        return ids


def context_queries(batch: Batch, schema: DataSchema, chosen: Tensor) -> list[ContextQuery | None]:
    """Each query as a context sees it, (Q,); None where it is not ``chosen`` (Q,) or the label is unknown."""
    columns = (first_class(batch.label), batch.task, batch.frame, batch.sample)
    label, task, frame, sample = (part.tolist() for part in columns)
    goals = batch.goal.tolist()
    segments: dict[int, list[Segment]] = {}
    found: list[ContextQuery | None] = []
    for query, asked in enumerate(chosen.tolist()):
        if not asked or label[query] == IGNORED:
            found.append(None)
            continue
        row = sample[query]
        if row not in segments:
            segments[row] = [Segment(*part) for part in batch.segments[row].tolist() if part[0] >= 0]
        goal = schema.goals[goals[row]] if goals[row] >= 0 else None
        name = schema.tasks[task[query]].labels.names[label[query]]
        found.append(ContextQuery(label[query], frame[query], segments[row], goal, name))
    return found


def stack(answers: Sequence[Answer]) -> Text:
    """Pad answers on the right; all but their templates are targets."""
    longest = max((len(answer.ids) for answer in answers), default=0)
    ids = torch.full((len(answers), longest), -1, dtype=torch.int64)
    for row, answer in zip(ids, answers, strict=True):
        row[: len(answer.ids)] = torch.tensor(answer.ids, dtype=torch.int64)
    template = torch.tensor([answer.template for answer in answers]).reshape(-1, 1)
    return Text(ids, (ids >= 0) & (torch.arange(longest) >= template))

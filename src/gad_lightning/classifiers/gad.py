"""GAD: the discriminative classifier that also writes the answer while it trains."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import torch
from torch import Tensor

from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.objectives.base import Objective
from gad_lightning.objectives.write_answer import WriteAnswer
from gad_lightning.objectives.write_context_first import WriteContextFirst
from gad_lightning.objectives.write_parallel import WriteParallel
from gad_lightning.prompts.contexts.base import AuxiliaryContext
from gad_lightning.prompts.labels.base import LabelTokens
from gad_lightning.readouts.base import BranchDecoder
from gad_lightning.readouts.nearest import write_freely
from gad_lightning.types import Batch, Predictions

Order = Literal["discriminative_first", "parallel", "generative_first"]
ORDERS: dict[str, type[WriteAnswer]] = {
    "discriminative_first": WriteAnswer,
    "parallel": WriteParallel,
    "generative_first": WriteContextFirst,
}
CONTEXT_OPENER = "<context_first>"
"""The learned vector with which the context begins if the slot comes after it."""


class GADClassifier(DiscriminativeClassifier):
    """Reads the class off the slot, and in training also writes label and context after it.

    Scoring is inherited: at test nothing is generated, so GAD costs what :class:`DiscriminativeClassifier` costs. The
    order ``generative_first`` alone writes the context at test too.

    Args:
        context: what is written beside the label; nothing by default.
        labels: how a class is written; in words by default.
        generation_weight: lambda, weight of the token loss beside the class loss of weight 1.
        answer_fraction: fraction of the queries whose answer is rendered in training, in (0, 1]; by default one in
            eight in one pass, all in windows.
        order: ``discriminative_first``: the text after the slot (the paper's best); ``parallel``: text and slot do not
            see one another; ``generative_first``: the slot after the context, see
            :class:`~gad_lightning.WriteContextFirst`.
        objectives: further training losses beside that.
        **discriminative: see :class:`DiscriminativeClassifier`.

    Source: Pang et al., ICLR 2026, generation-assisted discriminative classifier; lambda 1.
    """

    def __init__(
        self,
        context: AuxiliaryContext | None = None,
        labels: LabelTokens | None = None,
        generation_weight: float = 1.0,
        answer_fraction: float | None = None,
        order: Order = "discriminative_first",
        objectives: list[Objective] | None = None,
        **discriminative: Any,
    ) -> None:
        self.order = order
        self.warned = order != "generative_first"
        write = ORDERS[order](context, labels, answer_fraction, generation_weight)
        super().__init__(objectives=[write, *(objectives or [])], **discriminative)

    def prepare(self) -> None:
        """Let branches begin with the context if the slot comes after it."""
        if self.order == "generative_first":
            slot = self.opener if self.prompt.opener is None else self.prompt.opener
            self.prompt.prepare(self.schema, self.backbone.vocabulary, CONTEXT_OPENER, closing=slot)
        super().prepare()

    def room(self, branches: int) -> int:
        """Room for what is written at test."""
        return branches * self.written_length

    @property
    def written_length(self) -> int:
        """Tokens of context, end and slot that are written at test on a branch; none if the slot comes first."""
        return 0 if self.prompt.closing_ids is None else self.context_length + 1 + len(self.prompt.closing_ids)

    @property
    def context_length(self) -> int:
        """Most tokens of a context."""
        assert self.writing is not None, "GAD writes"
        return self.writing.longest

    @property
    def longest_branch(self) -> int:
        """Opener and answer, and the slot after it."""
        return max(super().longest_branch, len(self.prompt.opener_ids) + self.written_length)

    def scores(self, batch: Batch) -> Predictions:
        """Head at the slot; nothing is written, unless the slot comes after the context."""
        if self.order != "generative_first":
            return super().scores(batch)
        with torch.no_grad():
            tokens, frames, task = self.render(batch), self.frames(batch), self.sample_task(batch)
            branches = BranchDecoder.prefill(self.backbone, self.prompt, tokens, frames, batch, task, self.room)
            scores, logits = self.score_branches(branches, batch.task)
        asked = (batch.video, batch.query_index, batch.task, batch.frame, batch.label)
        return Predictions(*asked, scores, logits, branches.slot_states)

    def score_branches(self, branches: BranchDecoder, task: Tensor) -> tuple[Tensor, Tensor]:
        """Head at the slots, which are first put after the written contexts if that is the order."""
        if self.order == "generative_first" and len(branches):
            self.write_contexts(branches)
        return super().score_branches(branches, task)

    @torch.no_grad()
    def write_contexts(self, branches: BranchDecoder) -> None:
        """Write greedily on every branch until the end token, then the slot; ``branches.slot_states`` become its."""
        if not self.warned:
            warnings.warn("generative_first writes its context at test: one forward pass a token.", stacklevel=2)
            self.warned = True
        end, closing = self.backbone.vocabulary.end, self.prompt.closing_ids
        assert closing is not None, "prepare() gave the slot's opener"
        texts, _ = write_freely(branches, end, self.context_length)
        left = [
            torch.tensor([*text[written:], end, *closing.tolist()])
            for text, written in zip(texts, branches.written.tolist(), strict=True)
        ]
        ids = torch.nn.utils.rnn.pad_sequence(left, batch_first=True, padding_value=-1)
        branches.slot_states = branches.append(torch.arange(len(branches)), ids)

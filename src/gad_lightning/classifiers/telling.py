"""What a branch is told of the frames directly, the same in windows, in one pass and live: a vector, or text."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gad_lightning.classifiers.standardization import Standardization
from gad_lightning.types import Batch

LEADS_TOGETHER = 256
"""Queries whose frames are gathered at once."""


class Telling:
    """Mixin of the classifiers: a subclass tells slots something, or writes before openers; by default nothing."""

    standardize: Standardization

    @property
    def slot_reach(self) -> int:
        """Frames up to the asked one whose visual vectors the slot is told directly; none by default."""
        return 0

    def shown_at(self, visual: Tensor, sample: Tensor, anchor: Tensor) -> Tensor:
        """What is added to the slots' input, (Q, H), if there is a :attr:`slot_reach`; see :meth:`Slot.shown`."""
        raise NotImplementedError

    @property
    def own_texts(self) -> Sequence[str]:
        """Texts that are written beside those of the prompt, class names and goals."""
        return ()

    @property
    def lead_reach(self) -> int:
        """Frames up to the asked one by which the text is chosen; 0 if there is no such text."""
        return 0

    @property
    def longest_lead(self) -> int:
        """Most tokens of the text."""
        return 0

    def lead_at(self, recent: Tensor, there: Tensor, video: Tensor) -> Tensor:
        """Ids of the texts before openers, if there is a :attr:`lead_reach`.

        Args:
            recent: (Q, K, D) the newest frames of each query in time order, standardized, the mean of their tokens.
            there: (Q, K) bool, which of them are frames.
            video: (Q,) number of its video in the data module; -1 for none.

        Returns:
            (Q, L) on the CPU, -1 after the end of a row.
        """
        raise NotImplementedError

    def lead_of(self, batch: Batch) -> Tensor | None:
        """Ids of the texts before the openers of a batch, as :meth:`lead_at` gives them; None for none."""
        if not self.lead_reach:
            return None
        end = batch.anchor + 1
        frame = (end - self.lead_reach).clamp(min=0).unsqueeze(1) + torch.arange(self.lead_reach)
        there = frame < end.unsqueeze(1)
        frame = torch.where(there, frame, 0)
        shown = self.standardize(batch.frames).mean(2)
        found = [torch.zeros(0, 0, dtype=torch.int64)]
        for some in torch.arange(len(end)).split(LEADS_TOGETHER):
            recent = shown[batch.sample[some].unsqueeze(1), frame[some]]
            found.append(self.lead_at(recent, there[some], batch.video[some]))
        return pad_sequence([row for lead in found for row in lead], True, -1) if len(end) else found[0]

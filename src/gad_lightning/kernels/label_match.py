"""Sequences that are equal or not."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.kernels.base import SequenceKernel, Slices, squared_distances

EQUAL = 1e-5
"""Squared distance below which two slices are one."""


class LabelMatch(SequenceKernel):
    """1 where two sequences have the same slices in the same order, 0 elsewhere.

    Args:
        last: how many slices at the end are compared, at least 1; None compares all.

    Raises:
        SettingError: if ``last`` is below 1.
    """

    def __init__(self, last: int | None = None) -> None:
        if last is not None and last < 1:
            raise SettingError(f"last of LabelMatch must be at least 1, got {last}.", "leave it out to compare all")
        self.last = last

    def compare(self, a: Slices, b: Slices) -> Tensor:
        """Compare slice by slice from the end."""
        squared = squared_distances(a.rows, b.rows)  # (A, B, S, T)
        longest = max(a.rows.shape[1], b.rows.shape[1])
        lengths = [slices.counts if self.last is None else slices.counts.clamp(max=self.last) for slices in (a, b)]
        same = lengths[0][:, None] == lengths[1]
        rows, columns = torch.arange(len(a.counts))[:, None], torch.arange(len(b.counts))
        for back in range(1, (longest if self.last is None else min(self.last, longest)) + 1):
            asked = same & (lengths[0][:, None] >= back)
            i, j = ((slices.counts - back).clamp(min=0) for slices in (a, b))
            same &= ~asked | (squared[rows, columns, i[:, None], j] < EQUAL)
        return same.float()

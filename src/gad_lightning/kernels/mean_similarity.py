"""Sequences compared without their order."""

from __future__ import annotations

from torch import Tensor

from gad_lightning.kernels.base import SequenceKernel, SliceDistance, Slices


class MeanSimilarity(SequenceKernel):
    """Mean cosine of every slice of one sequence to every slice of the other: it cannot tell orders apart.

    Equal sequences of different slices have a value below 1.

    Args:
        distance: of two slices; of rows of one tower by default.

    Source: Chow et al., Sugar, NeurIPS 2024 (arXiv 2411.00304), ablation without the alignment kernel.
    """

    def __init__(self, distance: SliceDistance | None = None) -> None:
        self.distance = distance or SliceDistance()

    def compare(self, a: Slices, b: Slices) -> Tensor:
        """Average over the slices that are no padding."""
        cosines = 1 - self.distance.between(a, b) / 2
        real = a.real[:, None, :, None] & b.real[None, :, None, :]
        return (cosines * real).sum((2, 3)) / real.sum((2, 3))

"""The contract of a sequence kernel, and the slices it compares."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.parts import Part

VISION, TEXT = 0, 1
"""Modality of a slice."""


class Slices(NamedTuple):
    """B sequences of at most S slices, padded on the right; a slice is an action, an image or a sentence."""

    rows: Tensor  # (B, S, d) float, rows of length 1 of the tower of the slice's own modality
    cross: Tensor | None  # (B, S, e) float, rows of length 1 of the tower that sees both; None: there is no such tower
    modality: Tensor  # (B, S) int64, VISION or TEXT
    counts: Tensor  # (B,) int64, slices of each sequence, 1..S
    sample: Tensor  # (B,) int64, equal where two sequences are of one sample

    @property
    def real(self) -> Tensor:
        """Which slices are no padding, (B, S) bool."""
        return torch.arange(self.rows.shape[1], device=self.counts.device) < self.counts.unsqueeze(1)

    def at(self, which: Tensor) -> Slices:
        """Some of the sequences."""
        cross = None if self.cross is None else self.cross[which]
        return Slices(self.rows[which], cross, self.modality[which], self.counts[which], self.sample[which])

    def to(self, device: torch.device | str) -> Slices:
        """Move every tensor."""
        cross = None if self.cross is None else self.cross.to(device)
        moved = (part.to(device) for part in (self.modality, self.counts, self.sample))
        return Slices(self.rows.to(device), cross, *moved)


class SliceDistance(Part):
    """Squared distance of two slices: 2 - 2 cos of the rows of length 1, within [0, 4]."""

    def between(self, a: Slices, b: Slices) -> Tensor:
        """Of every slice to every other: (A, B, S, T) float32; what padding gives means nothing."""
        return squared_distances(a.rows, b.rows)


class SequenceKernel(Part):
    """Says how alike two sequences of slices are. A subclass gives :meth:`compare`."""

    def fit(self, slices: Slices) -> None:
        """Choose what depends on the slices there can be, such as all class names; by default nothing."""

    @torch.no_grad()
    def __call__(self, a: Slices, b: Slices) -> Tensor:
        """Compare every sequence of one batch with every one of another.

        Args:
            a: A sequences.
            b: B sequences; the same object where a batch is compared with itself.

        Returns:
            (A, B) float32 within [0, 1], without gradient; 1 for equal sequences.

        Raises:
            SettingError: if a sequence has no slice.
        """
        if bool((a.counts < 1).any() | (b.counts < 1).any()):
            raise SettingError("A sequence without a slice cannot be compared.", "leave such queries out")
        with torch.autocast(a.rows.device.type, enabled=False):
            return self.compare(a, b).clamp(0.0, 1.0)

    @abstractmethod
    def compare(self, a: Slices, b: Slices) -> Tensor:
        """Compute the (A, B) similarities; they are clamped to [0, 1] afterwards."""


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances of rows of length 1: (A, S, d), (B, T, d) -> (A, B, S, T) float32.

    Example:
        >>> squared_distances(torch.eye(2)[None], torch.eye(2)[None]).tolist()
        [[[[0.0, 2.0], [2.0, 0.0]]]]
    """
    cosines = a.float().flatten(0, 1) @ b.float().flatten(0, 1).T
    return (2 - 2 * cosines).clamp(0.0, 4.0).view(*a.shape[:2], *b.shape[:2]).transpose(1, 2)

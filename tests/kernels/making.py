"""Small sequences for the tests."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gad_lightning.kernels.base import TEXT, Slices


def of_classes(sequences: Sequence[Sequence[int]], table: Tensor | None = None, longest: int | None = None) -> Slices:
    """Sequences of class numbers; each class is a direction of its own, or a row of a table."""
    directions = torch.eye(16) if table is None else table
    width = max(len(sequence) for sequence in sequences) if longest is None else longest
    rows = torch.zeros(len(sequences), width, directions.shape[1], dtype=directions.dtype)
    for row, sequence in zip(rows, sequences, strict=True):
        row[: len(sequence)] = directions[list(sequence)]
    counts = torch.tensor([len(sequence) for sequence in sequences])
    return Slices(rows, None, torch.full(rows.shape[:2], TEXT), counts, torch.arange(len(sequences)))


def random_table(classes: int = 16, width: int = 8, seed: int = 0) -> Tensor:
    """Directions of classes, (classes, width)."""
    return normalize(torch.randn(classes, width, generator=torch.Generator().manual_seed(seed)), dim=-1)

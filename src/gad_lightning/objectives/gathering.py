"""Rows of all processes, for losses that compare the queries of a batch with each other."""

from __future__ import annotations

import torch
from torch import Tensor, distributed
from torch.distributed.nn.functional import all_gather
from torch.nn.functional import pad

from gad_lightning.kernels.base import Slices


def gathered(rows: Tensor) -> Tensor:
    """Rows of all processes, in the order of their ranks: (n, ...) -> (N, ...), with gradient; of one, the same object.

    Args:
        rows: one- to three-dimensional. Processes may have different numbers of rows, 0 too, and different second
            sizes: they are padded with zeros to the largest.
    """
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return rows
    here = torch.tensor(rows.shape[:2] if rows.dim() > 2 else rows.shape[:1], device=rows.device)
    shapes = [torch.zeros_like(here) for _ in range(distributed.get_world_size())]
    distributed.all_gather(shapes, here)
    every = torch.stack(shapes)
    most = every.max(0).values.tolist()
    missing = [most[axis] - rows.shape[axis] for axis in range(len(most))]
    trailing = [0, 0] * (rows.dim() - len(most))
    padded = pad(rows, [*trailing, *(size for more in reversed(missing) for size in (0, more))])
    parts = all_gather(padded.contiguous())
    return torch.cat([part[:count] for part, count in zip(parts, every[:, 0].tolist(), strict=True)])


def gathered_slices(slices: Slices) -> Slices:
    """Sequences of all processes; of one, the same object."""
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return slices
    cross = None if slices.cross is None else gathered(slices.cross)
    modality = gathered(slices.modality.unsqueeze(-1)).squeeze(-1)
    return Slices(gathered(slices.rows), cross, modality, gathered(slices.counts), gathered(slices.sample))

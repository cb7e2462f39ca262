"""Samples -> Batch: the one place that pads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from gad_lightning.data.records import FloatArray, Labels
from gad_lightning.data.windows import IntArray
from gad_lightning.types import Batch


class Sample(NamedTuple):
    """One stretch of a video with the queries asked about it, unpadded; the columns are those of ``Batch``."""

    frames: FloatArray  # (F, N, D)
    first_frame: int
    goal: int
    segments: IntArray  # (S, 3) of the whole video
    anchor: IntArray  # (Q,) frame within the sample
    frame: IntArray  # (Q,)
    horizon: IntArray  # (Q,)
    task: IntArray  # (Q,)
    label: Labels  # (Q,) or (Q, C)
    video: IntArray  # (Q,)
    query_index: IntArray  # (Q,)
    uniform: FloatArray  # (Q,)


def collate(samples: Sequence[Sample]) -> Batch:
    """Put samples of any lengths into one batch: frames padded with zeros at the end, segments with rows of -1.

    Args:
        samples: at least one, all with the same N and D.
    """
    counts = [len(sample.frames) for sample in samples]
    frames = torch.empty(len(samples), max(counts), *samples[0].frames.shape[1:])
    segments = torch.full((len(samples), max(len(sample.segments) for sample in samples), 3), -1)
    for row, sample in enumerate(samples):
        frames[row, : counts[row]] = torch.from_numpy(sample.frames)
        frames[row, counts[row] :] = 0.0
        segments[row, : len(sample.segments)] = torch.from_numpy(sample.segments)
    num_queries = torch.tensor([len(sample.anchor) for sample in samples])
    columns = {name: _joined(samples, name) for name in Sample._fields[4:]}
    return Batch(
        frames=frames,
        frame_counts=torch.tensor(counts),
        first_frame=torch.tensor([sample.first_frame for sample in samples]),
        goal=torch.tensor([sample.goal for sample in samples]),
        segments=segments,
        sample=torch.repeat_interleave(torch.arange(len(samples)), num_queries),
        **columns,
    )


def _joined(samples: Sequence[Sample], name: str) -> torch.Tensor:
    return torch.from_numpy(np.concatenate([getattr(sample, name) for sample in samples]))

"""One row a labeled segment: the mean of its frames, or of what a classifier gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gad_lightning.classifiers.standardization import Standardization
from gad_lightning.data.base import ActionDataModule
from gad_lightning.data.dataset import WindowDataset
from gad_lightning.data.sampling import BatchKey
from gad_lightning.segments import cut
from gad_lightning.types import IGNORED, Batch, Predictions

FRAMES_AT_ONCE = 1024
"""Frames of a video that are read together."""


class SegmentMeans(NamedTuple):
    """S segments in the order of videos and time; frames of unknown truth are in none."""

    label: Tensor  # (S,) int64
    states: Tensor  # (S, H) float32
    logits: Tensor  # (S, C) float32
    extra: Tensor  # (S,) float32, the mean of what was asked for


def batches_of(dataset: WindowDataset, size: int, device: torch.device) -> Iterator[Batch]:
    """All samples of a data set in order, frames on ``device``."""
    for start in range(0, len(dataset), size):
        yield dataset[BatchKey(0, tuple(range(start, min(start + size, len(dataset)))))].to(device)


def segment_means(
    dataset: WindowDataset,
    size: int,
    device: torch.device,
    predict: Callable[[Batch], Predictions],
    task: int,
    extra: Callable[[Predictions], Tensor] | None = None,
) -> SegmentMeans:
    """Predict every sample once, and average over the segments; frames are let go batch by batch.

    Args:
        dataset: asks every query once, in the order of videos and frames.
        size: samples that are predicted together.
        device: of the classifier.
        predict: what predicts a batch.
        task: whose queries count; one label each.
        extra: a further number of each query, (Q,).
    """
    labels: list[int] = []
    counts: list[int] = []
    sums: list[Tensor] = []
    before: tuple[int, int] | None = None
    for batch in batches_of(dataset, size, device):
        found = predict(batch)
        more = torch.zeros(len(found.task)) if extra is None else extra(found).cpu()
        asked = (found.task.cpu() == task) & (batch.horizon == 0)
        columns = (found.slot_states, found.logits, more.unsqueeze(1))
        rows = torch.cat([column.float().cpu()[asked] for column in columns], 1)
        keys = zip(found.video[asked].tolist(), found.target[asked].tolist(), strict=True)
        for key, row in zip(keys, rows, strict=True):
            if key != before:
                labels.append(key[1])
                counts.append(0)
                sums.append(torch.zeros_like(row))
            counts[-1] += 1
            sums[-1] += row
            before = key
    label = torch.tensor(labels, dtype=torch.int64)
    if not len(label):
        none = torch.zeros(0, 0)
        return SegmentMeans(label, none, none, none.flatten())
    means = (torch.stack(sums) / torch.tensor(counts).unsqueeze(1))[label != IGNORED]
    width = found.slot_states.shape[1]
    return SegmentMeans(label[label != IGNORED], means[:, :width], means[:, width:-1], means[:, -1])


class TrainingMoments(NamedTuple):
    """M stretches, in the order of videos and time."""

    keys: Tensor  # (M, D) mean of the standardized frames
    labels: Tensor  # (M,) int64
    videos: list[str]  # M names


def training_moments(data: ActionDataModule, standardize: Standardization) -> TrainingMoments:
    """Read the training videos once, and average over every stretch of one label of the first task.

    Args:
        data: the classifier's, one label a frame.
        standardize: the classifier's.
    """
    width = data.schema.features.width
    keys, labels, videos = [torch.zeros(0, width)], [], []
    for record, laid in zip(data.videos("train"), data.dataset("train").timelines, strict=True):
        asked = laid.queries
        own = (asked.task == 0) & (asked.horizon == 0)
        painted = np.full(record.frames.num_frames, IGNORED)
        painted[asked.anchor[own]] = asked.label[own]
        for label, start, end in cut(torch.from_numpy(painted), skip={IGNORED}):
            total = torch.zeros(width, dtype=torch.float64)
            for first in range(start, end, FRAMES_AT_ONCE):
                rows = record.frames.rows(np.arange(first, min(end, first + FRAMES_AT_ONCE)))
                shown = standardize(torch.from_numpy(rows).to(standardize.mean.device))
                total += shown.mean(1).sum(0).double().cpu()
            keys.append((total / (end - start)).float().unsqueeze(0))
            labels.append(label)
            videos.append(record.name)
    return TrainingMoments(torch.cat(keys), torch.tensor(labels, dtype=torch.int64), videos)

"""From the predictions of finished runs to counts per video, which a bootstrap can add up."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.metrics.functional.accuracy import frame_counts
from gad_lightning.metrics.functional.error_diversity import error_entropies, mean_entropy
from gad_lightning.metrics.functional.f1 import Counts, f1_scores
from gad_lightning.metrics.functional.frames import FrameTable, frame_table, order_frames
from gad_lightning.metrics.functional.labels import LabelSpace
from gad_lightning.metrics.functional.point_f1 import point_counts
from gad_lightning.metrics.functional.segment_f1 import segment_counts
from gad_lightning.tools.compare_statistics import FloatArray, Value
from gad_lightning.types import IGNORED

METRICS = ("top1", "segment_f1", "point_f1")
DIVERSITY = "error_diversity"
TOLERANCE_SECONDS = 1.0
AT_ERRORS = 20
"""Errors a class at which the diversity of errors is compared."""


class Frames(NamedTuple):
    """What a run said of the V videos of a task, ordered by name."""

    videos: tuple[str, ...]
    video: NDArray[np.int64]  # (N,) index into ``videos``, ascending
    frame: NDArray[np.int64]  # (N,) ascending within a video
    label: NDArray[np.int64]  # (N,)
    truth: NDArray[np.int64]  # (N,) IGNORED where nothing is known


def read_frames(path: Path, names: Sequence[str], task: str) -> Frames:
    """Read ``frames.csv`` of a run.

    Args:
        path: as :class:`~gad_lightning.PredictionWriter` writes it.
        names: the classes in the order of their indices.
        task: whose rows are read.

    Raises:
        DataError: if it has no row of the task.
        MissingDataError: if there is no such file.
    """
    if not path.is_file():
        raise MissingDataError(f"There are no predictions at {path}.", "run the comparison again")
    index = {"": IGNORED, **{name: number for number, name in enumerate(names)}}
    with path.open(newline="", encoding="utf-8") as file:
        rows = [
            (row["video"], int(row["frame"]), index[row["label"]], index[row["truth"]])
            for row in csv.DictReader(file)
            if row["task"] == task
        ]
    if not rows:
        raise DataError(f"{path} has no row of the task {task!r}.", "run the comparison again")
    rows.sort()
    videos = tuple(dict.fromkeys(row[0] for row in rows))
    number = {name: place for place, name in enumerate(videos)}
    video, frame, label, truth = (np.array(column) for column in zip(*rows, strict=True))
    return Frames(videos, np.array([number[name] for name in video.tolist()]), frame, label, truth)


def counts_of(frames: Frames, labels: LabelSpace, fps: float, metrics: Sequence[str]) -> dict[str, FloatArray]:
    """Count per video what each metric is a function of: (V, K) float64 each; see :func:`_count`."""
    found: dict[str, list[list[float]]] = {metric: [] for metric in metrics}
    for video in range(len(frames.videos)):
        here = frames.video == video
        label, truth, frame = (torch.from_numpy(column[here]) for column in (frames.label, frames.truth, frames.frame))
        table = frame_table(order_frames(torch.zeros_like(frame), frame), label, truth, "cut")
        for metric in metrics:
            found[metric].append(_count(metric, table, labels, fps))
    return {metric: np.array(rows, dtype=np.float64) for metric, rows in found.items()}


def _count(metric: str, table: FrameTable, labels: LabelSpace, fps: float) -> list[float]:
    """Count one video: (K,).

    ``segment_f1`` and ``point_f1`` count hits, predicted and true ones; ``top1`` right and scored frames;
    ``error_diversity`` frames by true and predicted class, C times C of them.

    Raises:
        KeyError: on another metric.
    """
    if metric == "top1":
        hits, _, true = frame_counts(table.preds, table.target, labels)
        return [float(hits.sum()), float(true.sum())]
    if metric == "segment_f1":
        return [float(part.sum()) for part in segment_counts(table, labels)]
    if metric == "point_f1":
        return [float(part.sum()) for part in point_counts(table, labels, TOLERANCE_SECONDS * fps)]
    if metric != DIVERSITY:
        raise KeyError(metric)
    scored = labels.scored(table.target)
    pair = table.target[scored] * labels.num_classes + table.preds[scored]
    counted: list[float] = torch.bincount(pair, minlength=labels.num_classes**2).double().tolist()
    return counted


def value_of(metric: str, labels: LabelSpace) -> Value:
    """The function from summed counts (..., K) to scores (...), by the library's own formulas."""

    def share(counts: FloatArray) -> FloatArray:
        return counts[..., 0] / np.maximum(counts[..., 1], 1)

    def f1(counts: FloatArray) -> FloatArray:
        scores: FloatArray = f1_scores(Counts(*torch.from_numpy(counts).unbind(-1)))["f1"].numpy()
        return scores

    def diversity(counts: FloatArray) -> FloatArray:
        flat = counts.reshape(-1, counts.shape[-1])
        return np.array([_diversity_of(row, labels) for row in flat]).reshape(counts.shape[:-1])

    return {"top1": share, DIVERSITY: diversity}.get(metric, f1)


def _diversity_of(confusion: FloatArray, labels: LabelSpace, at_errors: int = AT_ERRORS) -> float:
    """Mean entropy of the errors, in nats, of classes with ``at_errors`` or more; 0 if none has: (C * C,) -> ()."""
    pairs = torch.repeat_interleave(torch.arange(len(confusion)), torch.from_numpy(confusion).round().long())
    entropy, errors = error_entropies(pairs % labels.num_classes, pairs // labels.num_classes, labels, at_errors)
    return float(mean_entropy(entropy, errors).nan_to_num())

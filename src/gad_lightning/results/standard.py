"""The standard metrics: which they are, in which order, and under which heading they are shown.

A line in :data:`STANDARD` makes a metric show in validation, in ``report``, in ``compare`` and in the demo.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gad_lightning.metrics.functional.accuracy import frame_counts
from gad_lightning.metrics.functional.answer_readiness import answers
from gad_lightning.metrics.functional.detection_delay import detections
from gad_lightning.metrics.functional.error_diversity import error_entropies, mean_entropy
from gad_lightning.metrics.functional.f1 import Counts, f1_scores
from gad_lightning.metrics.functional.frames import FrameTable
from gad_lightning.metrics.functional.labels import LabelSpace
from gad_lightning.metrics.functional.point_f1 import point_counts
from gad_lightning.metrics.functional.segment_f1 import segment_counts
from gad_lightning.results.predictions import TaskPredictions
from gad_lightning.results.rows import Ints
from gad_lightning.results.several import pair_table
from gad_lightning.schema import DataSchema, LabelSet, Task
from gad_lightning.types import IGNORED

OVERLAP, TOLERANCE_SECONDS = 0.1, 1.0
"""Least IoU of segment-F1, and largest distance of point-F1."""
MAP = "map"
"""Name of the mean average precision of frames, of tasks where several labels can be true at once."""
AT_ERRORS = 20
"""Errors a class at which the diversity of errors is compared."""


class StandardMetric(NamedTuple):
    """A score that is a function of counts, which add up over videos; so intervals can be made by drawing videos."""

    name: str  # in logs and tables: "val/<name>"
    heading: str  # of a column
    counts: Callable[[FrameTable, LabelSpace, float], Tensor]  # frames in order, classes, fps -> (K,)
    value: Callable[[Tensor, LabelSpace], Tensor]  # summed counts (..., K) float64 -> scores (...), nan for 0 / 0
    of_clips: bool = False  # whether it makes sense where clips are asked about
    single: bool = False  # whether it counts one label a frame, also where several can be true
    rises: bool = True  # whether higher is better
    is_share: bool = True  # whether 1 is best, so that the rest is a share of errors
    digits: int = 3  # behind the point


def _count_segments(table: FrameTable, labels: LabelSpace, fps: float) -> Tensor:
    """Hits, predicted and true segments."""
    return torch.stack([part.sum() for part in segment_counts(table, labels, OVERLAP)])


def _count_points(table: FrameTable, labels: LabelSpace, fps: float) -> Tensor:
    """Hits, predicted and true starts."""
    return torch.stack([part.sum() for part in point_counts(table, labels, TOLERANCE_SECONDS * fps, "start")])


def _count_frames(table: FrameTable, labels: LabelSpace, fps: float) -> Tensor:
    """Right and scored frames."""
    counts = frame_counts(table.preds, table.target, labels)
    return torch.stack([counts.hits.sum(), counts.true.sum()])


def _count_classes(table: FrameTable, labels: LabelSpace, fps: float) -> Tensor:
    """Hits, predicted and true classes of all frames."""
    found, true = labels.actions(table.preds), labels.actions(table.target)
    return torch.stack([((found == true) & (true >= 0)).sum(), (found >= 0).sum(), (true >= 0).sum()])


def _count_pairs(table: FrameTable, labels: LabelSpace, fps: float) -> Tensor:
    """Frames by true and predicted class, (C * C,)."""
    scored = labels.scored(table.target)
    pairs = table.target[scored] * labels.num_classes + table.preds[scored]
    return torch.bincount(pairs, minlength=labels.num_classes**2)


def _count_readiness(table: FrameTable, labels: LabelSpace, fps: float) -> Tensor:
    """Readiness summed over true segments, and their number."""
    early, late = answers(table, labels).kept()
    return torch.stack([(early * late).sum(), torch.tensor(float(len(early)), dtype=torch.float64)])


def _count_waits(table: FrameTable, labels: LabelSpace, fps: float) -> Tensor:
    """Seconds until true segments are found, summed, and how many are."""
    delay = detections(table, labels).delay
    found = delay[delay >= 0]
    return torch.stack([found.sum() / fps, torch.tensor(float(len(found)))])


def _count_alarms(table: FrameTable, labels: LabelSpace, fps: float) -> Tensor:
    """False alarms and hours of scored video."""
    found = detections(table, labels)
    return torch.tensor([float(len(found.alarms)), found.scored_frames / (fps * 3600)], dtype=torch.float64)


def _f1(counts: Tensor, labels: LabelSpace) -> Tensor:
    """F1 of hits, predicted and true ones."""
    return f1_scores(Counts(*counts.unbind(-1)))["f1"]


def _share(counts: Tensor, labels: LabelSpace) -> Tensor:
    """The first count as a share of the second."""
    return counts[..., 0].double() / counts[..., 1].double()


def _diversity(counts: Tensor, labels: LabelSpace) -> Tensor:
    """Mean entropy of the errors, in nats, of classes with ``AT_ERRORS`` or more; 0 if none has."""
    pairs = torch.arange(counts.shape[-1])
    values = []
    for row in counts.reshape(-1, counts.shape[-1]):
        each = torch.repeat_interleave(pairs, row.round().long())
        found = error_entropies(each % labels.num_classes, each // labels.num_classes, labels, AT_ERRORS)
        values.append(mean_entropy(*found).nan_to_num())
    return torch.stack(values).reshape(counts.shape[:-1])


FRAME_F1 = StandardMetric("frame_f1", "frame-F1", _count_classes, _f1)
"""Of the classes of all frames, where a frame can have several; the probability from which one is predicted is 0.5."""
SEGMENT_F1 = StandardMetric("segment_f1", "segment-F1", _count_segments, _f1)
POINT_F1 = StandardMetric("point_f1", "point-F1", _count_points, _f1)
TOP1 = StandardMetric("top1", "Top-1", _count_frames, _share, of_clips=True, single=True)
STANDARD: tuple[StandardMetric, ...] = (
    SEGMENT_F1,  # the first that a task has chooses the best checkpoint
    POINT_F1,
    TOP1,
)
ERROR_DIVERSITY = StandardMetric(
    "error_diversity", "error diversity", _count_pairs, _diversity, single=True, is_share=False
)
"""Shown where it is asked for."""
TIMELY: tuple[StandardMetric, ...] = (
    StandardMetric("readiness", "readiness", _count_readiness, _share, single=True),
    StandardMetric("mean_delay", "delay s", _count_waits, _share, single=True, rises=False, is_share=False, digits=2),
    StandardMetric(
        "false_alarms_per_hour",
        "false alarms/h",
        _count_alarms,
        _share,
        single=True,
        rises=False,
        is_share=False,
        digits=1,
    ),
)
"""Of alarms, beside the standard ones in ``compare``; ``test`` gives those of a calibrated classifier."""
NOTE = f"Segment-F1 at IoU {OVERLAP:g}, point-F1 within {TOLERANCE_SECONDS:g} s."


def metrics_of(task: Task) -> list[StandardMetric]:
    """The standard metrics that make sense for a task, in order, but for :data:`MAP`, which needs all scores."""
    extra = (FRAME_F1,) if task.labels.multi_label else ()
    return [metric for metric in (*extra, *STANDARD) if task.per_frame or metric.of_clips]


def names_of(schema: DataSchema) -> list[str]:
    """Names of the metrics of all tasks: plain with one task, ``<task>_<metric>`` with several."""
    return [
        full_name(name, task, len(schema.tasks))
        for task in schema.tasks
        for name in ([MAP] if task.labels.multi_label else []) + [metric.name for metric in metrics_of(task)]
    ]


def full_name(name: str, task: Task, num_tasks: int) -> str:
    """Name of a task's metric in logs and tables.

    Example:
        >>> from gad_lightning.schema import LabelSet
        >>> full_name("top1", Task("verb", LabelSet(("take", "put"))), num_tasks=2)
        'verb_top1'
    """
    return name if num_tasks == 1 else f"{task.name}_{name}"


def monitored(schema: DataSchema) -> str:
    """Name of the metric that chooses the best checkpoint: the first of the first task that is asked at every frame.

    Where several labels can be true at once it is the mean average precision.
    """
    task = next((task for task in schema.tasks if task.per_frame), schema.tasks[0])
    first = MAP if task.labels.multi_label else metrics_of(task)[0].name
    return f"val/{full_name(first, task, len(schema.tasks))}"


def space_of(task: Task, single: bool = False) -> LabelSpace:
    """A task's classes as the metrics want them; frames of unknown truth are not scored.

    Args:
        task: what is asked.
        single: for one label a frame, also where several can be true; see :func:`table_of`.
    """
    if task.labels.multi_label and not single:
        return _pair_space(task.labels)
    return LabelSpace(len(task.labels.names), task.labels.background, IGNORED)


def scored_truth(predictions: TaskPredictions) -> Ints:
    """True classes, (N,); actions of no class are IGNORED where the run cannot say "unknown"."""
    if predictions.unknown is None or predictions.rejection is not None:
        return predictions.truth
    found: Ints = np.where(predictions.truth == predictions.unknown, IGNORED, predictions.truth)
    return found


def table_of(predictions: TaskPredictions, video: int | None = None, single: bool = False) -> FrameTable:
    """Predictions of a task, or of one of its videos, as the metrics want them; a missing frame ends a segment.

    Args:
        predictions: of a task.
        video: index of a video; None takes all.
        single: one label a frame, also where several can be true; otherwise these have a row for each of them.
    """
    chosen = slice(None) if video is None else slice(*_ends(predictions, video))
    columns = (predictions.video, predictions.frame, predictions.label, scored_truth(predictions))
    number, frame, label, truth = (torch.from_numpy(column[chosen]) for column in columns)
    if predictions.task.labels.multi_label and not single:
        assert predictions.labels is not None, "read with the rows of such a task"
        assert predictions.truths is not None, "read with the rows of such a task"
        found, true = torch.from_numpy(predictions.labels[chosen]), torch.from_numpy(predictions.truths[chosen])
        return pair_table(found, true, number, frame, predictions.task.labels)
    order = torch.arange(len(frame)) if not predictions.task.per_frame else frame  # a clip may be asked about twice
    breaks = torch.ones(len(frame), dtype=torch.bool)
    breaks[1:] = (number[1:] != number[:-1]) | (order[1:] != order[:-1] + 1)
    return FrameTable(label, truth, number, order, breaks)


def _ends(predictions: TaskPredictions, video: int) -> tuple[int, int]:
    """First row of a video, and the one after its last."""
    first, last = predictions.video.searchsorted([video, video + 1])
    return int(first), int(last)


def _pair_space(labels: LabelSet) -> LabelSpace:
    """The classes of :func:`pair_table`: those of ``labels``, and one more that means "not this class"."""
    return LabelSpace(len(labels.names) + 1, len(labels.names), IGNORED)

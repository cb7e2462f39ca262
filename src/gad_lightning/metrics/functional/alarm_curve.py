"""What a threshold on probabilities costs: false alarms an hour against recall and delay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gad_lightning.metrics.functional.detection_delay import Detections, detections
from gad_lightning.metrics.functional.frames import FrameTable
from gad_lightning.metrics.functional.labels import LabelSpace

THRESHOLDS = (0.0, *(step / 20 for step in range(1, 20)), 0.97, 0.98, 0.99, 0.995, 0.999)
"""Probabilities that are tried unless others are given."""


class Curve(NamedTuple):
    """T operating points, of all C classes together and, in ``each_``, of every class."""

    thresholds: Tensor  # (T,) float64, ascending
    alarms: Tensor  # (T,) false alarms an hour of scored video; nan without any
    recall: Tensor  # (T,) share of the true segments with a frame that is labeled right; nan without a segment
    delay: Tensor  # (T,) median seconds to the first right frame of those found; nan where none is
    each_alarms: Tensor  # (T, C)
    each_recall: Tensor  # (T, C)
    each_delay: Tensor  # (T, C)


def alarm_curve(
    thresholds: Sequence[float], shown: Callable[[float], FrameTable], labels: LabelSpace, fps: float, hours: float
) -> Curve:
    """Count at every threshold.

    Args:
        thresholds: ascending.
        shown: gives the frames with the labels that a threshold leaves.
        labels: the C classes.
        fps: frames a second.
        hours: of scored video.
    """
    rows = [_point(detections(shown(threshold), labels), labels.num_classes, fps, hours) for threshold in thresholds]
    columns = (torch.stack(part) for part in zip(*rows, strict=True))
    return Curve(torch.tensor(thresholds, dtype=torch.float64), *columns)


def _point(found: Detections, classes: int, fps: float, hours: float) -> tuple[Tensor, ...]:
    """Alarms, recall and delay of all classes, then of each."""
    is_found = found.delay >= 0
    seconds, label = found.delay[is_found].double() / fps, found.label[is_found]
    segments, hits = (torch.bincount(part, minlength=classes).double() for part in (found.label, label))
    each_alarms = torch.bincount(found.alarms, minlength=classes).double() / hours if hours else segments * torch.nan
    waits = torch.stack([_median(seconds[label == number]) for number in range(classes)])
    return (
        each_alarms.sum(),
        hits.sum() / segments.sum(),
        _median(seconds),
        each_alarms,
        hits / segments,
        waits,
    )


def _median(seconds: Tensor) -> Tensor:
    """Median, ``nan`` of nothing."""
    return seconds.quantile(0.5) if seconds.numel() else seconds.new_tensor(torch.nan)

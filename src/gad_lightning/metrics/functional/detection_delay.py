"""What a product needs to know: how late an action is found, how often never, and how often one is reported in vain."""

from __future__ import annotations

from typing import NamedTuple, TypedDict

import torch
from torch import Tensor

from gad_lightning.metrics.functional.frames import FrameTable, Gaps
from gad_lightning.metrics.functional.labels import LabelSpace, table_of
from gad_lightning.metrics.functional.point_f1 import check_fps
from gad_lightning.segments import LabelRuns, cut_runs


class Detections(NamedTuple):
    """Every true segment and the alarms beside them."""

    label: Tensor  # (S,) int64, class of each true segment
    delay: Tensor  # (S,) int64, frames from its first frame to the first frame labeled right, -1 if there is none
    alarms: Tensor  # (P,) int64, class of each false alarm
    scored_frames: int  # frames whose truth is not ignored
    start: Tensor  # (S,) int64, row of the first frame of each true segment
    alarm_start: Tensor  # (P,) int64, row of the first frame of each false alarm


class DelayDetails(TypedDict):
    """Delays of the found segments and what went wrong; ``nan`` where nothing is counted."""

    mean_seconds: Tensor
    median_seconds: Tensor
    p90_seconds: Tensor
    missed: Tensor
    segments: Tensor
    false_alarms: Tensor
    false_alarms_per_hour: Tensor
    per_class_seconds: Tensor
    per_class_missed: Tensor


def detections(table: FrameTable, labels: LabelSpace) -> Detections:
    """Find the first right frame of each true segment, and the predicted segments without one.

    A false alarm is a predicted segment none of whose frames is labeled right, unless the truth of all of them is
    ignored. Segments of background and ignored labels are none.

    Args:
        table: frames in order.
        labels: the classes.
    """
    preds, target = labels.actions(table.preds), labels.actions(table.target)
    right = ((preds == target) & (preds >= 0)).nonzero().flatten()
    scored = labels.scored(table.target)
    true, found = (action_segments(part, table.breaks, labels) for part in (table.target, table.preds))
    first, is_found = _first_inside(right, true)
    delay = (table.frame[first] - table.frame[true.start]).masked_fill(~is_found, -1)
    _, is_right = _first_inside(right, found)
    _, is_scored = _first_inside(scored.nonzero().flatten(), found)
    false = ~is_right & is_scored
    return Detections(
        label=true.label.long().cpu(),
        delay=delay.cpu(),
        alarms=found.label[false].long().cpu(),
        scored_frames=int(scored.sum()),
        start=true.start.cpu(),
        alarm_start=found.start[false].cpu(),
    )


def action_segments(column: Tensor, breaks: Tensor, labels: LabelSpace) -> LabelRuns:
    """The runs of one label, true or predicted, (M,), that is an action; see :class:`FrameTable` for the breaks."""
    runs = cut_runs(labels.actions(column), breaks)
    return LabelRuns(*(column[runs.label >= 0] for column in runs))


def _first_inside(rows: Tensor, runs: LabelRuns) -> tuple[Tensor, Tensor]:
    """The first of the ascending ``rows`` inside each run, and whether there is one: (S,) int64, (S,) bool."""
    if rows.numel() == 0:
        return runs.start, torch.zeros_like(runs.start, dtype=torch.bool)
    place = torch.searchsorted(rows, runs.start)
    first = rows[place.clamp(max=rows.numel() - 1)]
    return first, (place < rows.numel()) & (first < runs.end)


def mean_delay(found: Detections, fps: float) -> Tensor:
    """Mean delay of the found segments in seconds: () float32, ``nan`` if none was found."""
    delay = found.delay[found.delay >= 0]
    return (delay.sum().double() / (delay.numel() * fps)).float()


def alarms_per_hour(found: Detections, fps: float) -> Tensor:
    """False alarms an hour of scored video: () float32, ``nan`` if there is no such frame."""
    alarms = torch.tensor(float(found.alarms.numel()), dtype=torch.float64)
    return (alarms * 3600 * fps / found.scored_frames).float()


def delay_details(found: Detections, labels: LabelSpace, fps: float) -> DelayDetails:
    """Everything about delays, in seconds, and misses, as shares; per class (C,), the rest ()."""
    is_found = found.delay >= 0
    seconds = found.delay[is_found].double() / fps
    spread = [seconds.quantile(share) if seconds.numel() else seconds.new_tensor(torch.nan) for share in (0.5, 0.9)]
    size = labels.num_classes
    segments, hits = torch.bincount(found.label, minlength=size), torch.bincount(found.label[is_found], minlength=size)
    waited = torch.zeros(size, dtype=torch.int64).index_add_(0, found.label[is_found], found.delay[is_found])
    return DelayDetails(
        mean_seconds=mean_delay(found, fps),
        median_seconds=spread[0].float(),
        p90_seconds=spread[1].float(),
        missed=((~is_found).sum().double() / is_found.numel()).float(),
        segments=torch.tensor(is_found.numel()),
        false_alarms=torch.tensor(found.alarms.numel()),
        false_alarms_per_hour=alarms_per_hour(found, fps),
        per_class_seconds=(waited.double() / (hits * fps)).float(),
        per_class_missed=((segments - hits).double() / segments).float(),
    )


def detection_delay(
    preds: Tensor,
    target: Tensor,
    video: Tensor | None = None,
    frame: Tensor | None = None,
    *,
    num_classes: int,
    fps: float,
    background: int | None = 0,
    ignore_index: int | None = None,
    gaps: Gaps = "error",
) -> Tensor:
    """Mean seconds until an action is found: () float32; see :class:`gad_lightning.DetectionDelay`.

    Args:
        preds: (N,) integer, predicted class of each frame.
        target: (N,) integer, true class.
        video: (N,) int64, number of the video; one video if left out.
        frame: (N,) int64, number of the frame within its video; in order if left out.
        num_classes: number of classes, background included.
        fps: frames a second.
        background: class that is no action, or None.
        ignore_index: label of frames that are not scored, or None.
        gaps: what a missing frame does: ``"error"`` or ``"cut"``.

    Example:
        >>> detection_delay(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1]), num_classes=2, fps=4)
        tensor(0.2500)
    """
    check_fps(fps)
    labels = LabelSpace(num_classes, background, ignore_index).checked()
    return mean_delay(detections(table_of(preds, target, video, frame, labels, gaps), labels), fps)


def false_alarms_per_hour(
    preds: Tensor,
    target: Tensor,
    video: Tensor | None = None,
    frame: Tensor | None = None,
    *,
    num_classes: int,
    fps: float,
    background: int | None = 0,
    ignore_index: int | None = None,
    gaps: Gaps = "error",
) -> Tensor:
    """False alarms an hour: () float32; see :class:`gad_lightning.FalseAlarmsPerHour`.

    The arguments are those of :func:`detection_delay`.

    Example:
        >>> false_alarms_per_hour(torch.tensor([0, 2, 1, 1]), torch.tensor([0, 1, 1, 1]), num_classes=3, fps=4)
        tensor(3600.)
    """
    check_fps(fps)
    labels = LabelSpace(num_classes, background, ignore_index).checked()
    return alarms_per_hour(detections(table_of(preds, target, video, frame, labels, gaps), labels), fps)

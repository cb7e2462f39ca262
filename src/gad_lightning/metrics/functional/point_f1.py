"""F1 over the moments at which actions begin (or their middles)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.metrics.functional.f1 import Average, Counts, averaged, count_classes
from gad_lightning.metrics.functional.frames import FrameTable, Gaps, check_option
from gad_lightning.metrics.functional.labels import Ignored, LabelSpace, table_of, without_ignored
from gad_lightning.segments import LabelRuns, cut_runs

Reference = Literal["start", "middle", "true_middle"]

ROUNDING = 1e-6
"""Part of a frame by which ``seconds * fps`` may fall short: 0.29 s at 100 fps is 29 frames. Distances are halves."""


def check_fps(fps: float) -> None:
    """Refuse a frame rate that is none.

    Raises:
        SettingError: giving the value.
    """
    if not (fps > 0 and math.isfinite(fps)):
        raise SettingError(f"fps is {fps}.", "give the frames a second of the features")


def check_points(tolerance_seconds: float, fps: float, reference: str) -> None:
    """Refuse settings of the point F1 that cannot work.

    Raises:
        SettingError: naming the setting and its value.
    """
    check_fps(fps)
    if not (tolerance_seconds >= 0 and math.isfinite(tolerance_seconds)):
        raise SettingError(f"tolerance_seconds is {tolerance_seconds}.", "give 0 or more seconds")
    check_option("reference", reference, Reference)


def _twice_the_point(table: FrameTable, runs: LabelRuns, reference: Reference) -> Tensor:
    """Twice the frame that stands for each run, so that middles are whole numbers: (S,) int64.

    ``"middle"`` is the published one: half the sum of a run's first frame and the first frame after it, but of the
    first and the last frame for a run that reaches the end of its video. ``"true_middle"`` makes no such difference.
    """
    start = table.frame[runs.start]
    if reference == "start":
        return 2 * start
    last = runs.end - 1
    after = table.frame[last] + 1
    if reference == "true_middle":
        return start + after
    following = runs.end.clamp(max=max(table.video.numel() - 1, 0))
    at_end = (following == last) | (table.video[following] != table.video[last])
    return start + after - at_end.long()


def point_counts(
    table: FrameTable,
    labels: LabelSpace,
    tolerance_frames: float,
    reference: Reference = "start",
    ignored: Ignored = "cut",
) -> Counts:
    """Count the points of each class and the hits among them.

    Each predicted point has one candidate, the nearest true point of its video, the earlier one of two. As the
    candidate does not depend on the other predictions, the hits are the true points that are near enough to a
    predicted one of the same class whose candidate they are.

    Args:
        table: frames in order.
        labels: the classes.
        tolerance_frames: largest distance of a hit, inclusive.
        reference: see :class:`~gad_lightning.PointF1`.
        ignored: see :func:`~gad_lightning.metrics.functional.labels.without_ignored`.
    """
    table = without_ignored(table, labels, ignored)
    preds, target = labels.actions(table.preds), labels.actions(table.target)
    found, true = cut_runs(preds, table.breaks), cut_runs(target, table.breaks)
    found = LabelRuns(*(column[found.label >= 0] for column in found))
    true = LabelRuns(*(column[true.label >= 0] for column in true))
    hit = torch.zeros_like(true.label, dtype=torch.bool)
    if found.label.numel() and true.label.numel():
        number = torch.zeros_like(table.video)  # of the video, from 0: global ids may be anything
        number[1:] = (table.video[1:] != table.video[:-1]).cumsum(0)
        point, truth = (_twice_the_point(table, runs, reference) for runs in (found, true))
        span = 2 * int(table.frame.max()) + 3  # one apart from the next video's first point at least
        nearest = _nearest_key(number[found.start] * span + point, number[true.start] * span + truth, span)
        distance = (truth[nearest] - point).abs().double() / 2
        passes = (number[true.start][nearest] == number[found.start]) & (distance <= tolerance_frames + ROUNDING)
        hit[nearest[passes & (true.label[nearest] == found.label)]] = True
    sizes = (count_classes(of_whom, labels.num_classes) for of_whom in (true.label[hit], found.label, true.label))
    return Counts(*sizes)


def _nearest_key(key: Tensor, among: Tensor, span: int) -> Tensor:
    """Index of the nearest of the ascending ``among`` in the same video, the lower one of two: (S,), (U,) -> (S,).

    Keys are ``video * span + place``; if a key's video has no other key the result lies in another video.
    """
    above = torch.searchsorted(among, key)
    below = (above - 1).clamp(min=0)
    above = above.clamp(max=among.numel() - 1)
    video = key.div(span, rounding_mode="floor")

    def distance(index: Tensor) -> Tensor:
        """Distance of each key to its candidate; the largest number in another video."""
        other_video = among[index].div(span, rounding_mode="floor") != video
        return (among[index] - key).abs().masked_fill(other_video, torch.iinfo(torch.int64).max)

    return torch.where(distance(below) <= distance(above), below, above)


def point_f1(
    preds: Tensor,
    target: Tensor,
    video: Tensor | None = None,
    frame: Tensor | None = None,
    *,
    num_classes: int,
    fps: float,
    tolerance_seconds: float = 1.0,
    background: int | None = 0,
    average: Average = "micro",
    reference: Reference = "start",
    ignore_index: int | None = None,
    gaps: Gaps = "error",
    ignored_frames: Ignored = "cut",
) -> Tensor:
    """F1 over action starts: () float32 in [0, 1]; see :class:`gad_lightning.PointF1`.

    Args:
        preds: (N,) integer, predicted class of each frame.
        target: (N,) integer, true class.
        video: (N,) int64, number of the video; one video if left out.
        frame: (N,) int64, number of the frame within its video; in order if left out.
        num_classes: number of classes, background included.
        fps: frames a second.
        tolerance_seconds: largest distance of a hit, inclusive.
        background: class that is no action, or None.
        average: see :class:`~gad_lightning.PointF1`.
        reference: see :class:`~gad_lightning.PointF1`.
        ignore_index: label of frames that are not scored, or None.
        gaps: what a missing frame does: ``"error"`` or ``"cut"``.
        ignored_frames: ``"cut"``, or ``"published"``, see :class:`gad_lightning.SegmentF1`.

    Raises:
        DataError: if the tensors do not fit together.
        SettingError: if a setting is out of its range.

    Example:
        >>> point_f1(torch.tensor([0, 1, 1, 2]), torch.tensor([1, 1, 1, 0]), num_classes=3, fps=1)
        tensor(0.6667)
    """
    check_points(tolerance_seconds, fps, reference)
    labels = LabelSpace(num_classes, background, ignore_index).checked()
    table = table_of(preds, target, video, frame, labels, gaps)
    counts = point_counts(table, labels, tolerance_seconds * fps, reference, ignored_frames)
    return averaged(counts, labels, average)["f1"].float()

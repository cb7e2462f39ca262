"""Labels <-> segments: the only place that cuts runs, and that lays segments out over frames."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gad_lightning.types import IGNORED


class Segment(NamedTuple):
    """A stretch of one label, half-open ``[start, end)``, in frames."""

    label: int
    start: int
    end: int


class LabelRuns(NamedTuple):
    """Segments of many videos as columns, each (S,) int64, ordered as the frames they were cut from."""

    label: Tensor
    start: Tensor  # index of the first row
    end: Tensor  # index after the last row


def cut_runs(labels: Tensor, breaks: Tensor | None = None) -> LabelRuns:
    """Cut labels into maximal runs.

    Args:
        labels: (N,) int64, in time order.
        breaks: (N,) bool, True where a run must begin although the label goes on (a new video, a gap).

    Returns:
        The runs over all N rows, background included.
    """
    if labels.numel() == 0:
        empty = labels.new_zeros(0)
        return LabelRuns(empty, empty, empty)
    begins = torch.ones_like(labels, dtype=torch.bool)
    begins[1:] = labels[1:] != labels[:-1]
    if breaks is not None:
        begins |= breaks
    start = begins.nonzero().squeeze(1)
    end = torch.cat([start[1:], start.new_tensor([labels.numel()])])
    return LabelRuns(labels[start], start, end)


def cut(labels: Sequence[int] | Tensor, skip: Iterable[int] = ()) -> list[Segment]:
    """Cut the frame labels of one video into segments.

    Args:
        labels: (F,) class of each frame.
        skip: labels that are no segments, such as the background.

    Example:
        >>> cut([0, 1, 1, 0, 2], skip=[0])
        [Segment(label=1, start=1, end=3), Segment(label=2, start=4, end=5)]
    """
    left_out = set(skip)
    runs = cut_runs(torch.as_tensor(labels, dtype=torch.int64))
    rows = zip(runs.label.tolist(), runs.start.tolist(), runs.end.tolist(), strict=True)
    return [Segment(*row) for row in rows if row[0] not in left_out]


def cut_each(chosen: Tensor, skip: Iterable[int] = (), breaks: Tensor | None = None) -> list[Segment]:
    """Cut the frames of one video into segments of every class, which may overlap; in time order, then by class.

    Args:
        chosen: (F, C) bool, the classes of each frame.
        skip: classes that are no segments, such as the background.
        breaks: (F,) bool, True where a segment ends although its class goes on.

    Example:
        >>> cut_each(torch.tensor([[1, 0], [1, 1], [0, 1]], dtype=torch.bool))
        [Segment(label=0, start=0, end=2), Segment(label=1, start=1, end=3)]
    """
    classes = [label for label in range(chosen.shape[1]) if label not in set(skip)]
    found = []
    for label in classes:
        runs = cut_runs(chosen[:, label].long(), breaks)
        rows = zip(runs.label.tolist(), runs.start.tolist(), runs.end.tolist(), strict=True)
        found += [Segment(label, start, end) for one, start, end in rows if one]
    return sorted(found, key=lambda segment: (segment.start, segment.label))


def paint(segments: Iterable[Segment], num_frames: int, fill: int) -> Tensor:
    """Write segments over ``num_frames`` frames of ``fill``: (num_frames,) int64. Later ones overwrite earlier ones.

    Example:
        >>> paint([Segment(1, 0, 3), Segment(2, 2, 4)], 6, fill=0)
        tensor([1, 1, 2, 2, 0, 0])
    """
    labels = torch.full((num_frames,), fill, dtype=torch.int64)
    for label, start, end in segments:
        labels[max(start, 0) : max(end, 0)] = label
    return labels


def frames_between(start_seconds: float, end_seconds: float, fps: float) -> tuple[int, int]:
    """Frames ``[first, last)`` whose time ``index / fps`` lies in ``[start_seconds, end_seconds)``.

    Rounded by a millionth of a frame, so that 0.3 s at 10 fps is frame 3 and not frame 4.
    """
    return math.ceil(start_seconds * fps - 1e-6), math.ceil(end_seconds * fps - 1e-6)


def lanes_of(spans: Iterable[tuple[float, float]]) -> list[int]:
    """In which lane each span from a start to an end lies, so that those of one time lie under each other.

    Example:
        >>> lanes_of([(0, 4), (2, 6), (4, 8)])
        [0, 1, 0]
    """
    ends: list[float] = []
    lanes = []
    for start, end in spans:
        free = next((lane for lane, until in enumerate(ends) if until <= start), len(ends))
        ends[free : free + 1] = [end]
        lanes.append(free)
    return lanes


def multi_hot(
    segments: Sequence[Segment], num_frames: int, num_classes: int, background: int | None = 0
) -> NDArray[np.float32]:
    """All classes of every frame: (F, C) of 0 and 1, or a row of -100 where a frame is not scored.

    Args:
        segments: may overlap. Of a class and ``IGNORED`` in one frame the later one of the list counts.
        num_frames: F.
        num_classes: C.
        background: class of the frames that show no other one; if None these are not scored.

    Example:
        >>> multi_hot([Segment(1, 0, 2), Segment(2, 1, 3)], 4, 3).tolist()
        [[0.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    rows = np.zeros((num_frames, num_classes), dtype=np.float32)
    ignored = np.zeros(num_frames, dtype=np.bool_)
    for label, start, end in segments:
        span = slice(max(start, 0), max(end, 0))
        ignored[span] = label == IGNORED
        if 0 <= label < num_classes:
            rows[span, label] = 1
    if background is None:
        ignored |= ~rows.any(1)
    else:
        rows[:, background] = 0
        rows[:, background] = ~rows.any(1)
    rows[ignored] = IGNORED
    return rows


def overlaps(segments: Sequence[Segment], num_frames: int) -> NDArray[np.int64]:
    """How many classes each frame shows: (F,).

    Example:
        >>> overlaps([Segment(1, 0, 3), Segment(2, 2, 4), Segment(2, 1, 3)], 5)
        array([1, 2, 2, 1, 0])
    """
    count = np.zeros(num_frames, dtype=np.int64)
    for label in {segment.label for segment in segments} - {IGNORED}:
        shown = np.zeros(num_frames, dtype=np.bool_)
        for segment in segments:
            if segment.label == label:
                shown[max(segment.start, 0) : max(segment.end, 0)] = True
        count += shown
    return count

"""Frames that show several things at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gad_lightning.data.windows import IntArray
from gad_lightning.segments import Segment
from gad_lightning.types import IGNORED


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


def overlaps(segments: Sequence[Segment], num_frames: int) -> IntArray:
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

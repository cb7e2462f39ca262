"""What a data set says of one video: where its frames are, what is labeled, what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gad_lightning.data.windows import IntArray
from gad_lightning.errors import DataError
from gad_lightning.schema import FeatureSpec, LabelSet
from gad_lightning.segments import Segment, cut, multi_hot, paint
from gad_lightning.types import IGNORED

FloatArray = NDArray[np.float32]
Labels = NDArray[np.int64] | NDArray[np.float32]


class FeatureSource(Protocol):
    """The feature frames of one video, read by number. Making one reads nothing; it survives pickling to a worker."""

    @property
    def path(self) -> Path | None:
        """The file the frames come from; None for frames in memory."""

    @property
    def num_frames(self) -> int:
        """F, frames of the video."""

    @property
    def spec(self) -> FeatureSpec:
        """Encoder, fps, D and N of the frames; no statistics."""

    def rows(self, frames: IntArray) -> FloatArray:
        """Read frames by number: (n,) int64 -> (n, N, D) float32, all finite.

        Raises:
            DataError: if a value is NaN or infinite, naming file and frame.
        """


class Queries(NamedTuple):
    """The questions about one video as columns; row i is query number (ordinal) i."""

    anchor: IntArray  # (Q,) frame of the video after which it is asked
    label: Labels  # (Q,) int64 class or IGNORED; or (Q, C) float32 multi-hot, a row of IGNORED if it is not scored
    task: IntArray  # (Q,) index into the schema's tasks
    horizon: IntArray  # (Q,) 0: what happens at the anchor; h: the h-th segment after it
    first: IntArray  # (Q,) first frame of the clip asked about, which is then all it sees; -1: as the windows say


def every_frame(labels: Labels) -> Queries:
    """Ask at every frame what happens there: (F,) or (F, C) labels -> F queries."""
    frames = np.arange(len(labels))
    none = np.zeros_like(frames)
    return Queries(frames, labels, none, none, none - 1)


@dataclass(frozen=True, eq=False)
class VideoRecord:
    """One video of a split.

    Args:
        name: unique within the data set.
        frames: where its feature frames are read from.
        segments: labeled stretches in frames; where they overlap, later ones of the list win, or all count where the
            label set is ``multi_label``. A label of :data:`~gad_lightning.IGNORED` marks frames that enter neither loss
            nor metrics.
        labels: (F,) class indices or (F, C) 0/1 instead of painting ``segments``; a row without a class is background.
        goal: index into the schema's goals, -1 if unknown.
        group: videos of one group (a person, a kitchen) are never split between training and validation; its own name
            if None.
        queries: what is asked; None asks at every frame for the first task.
    """

    name: str
    frames: FeatureSource
    segments: Sequence[Segment] = ()
    labels: Labels | None = None
    goal: int = -1
    group: str | None = None
    queries: Queries | None = None


class Timeline(NamedTuple):
    """The labels of one video, ready for training: what is made of a :class:`VideoRecord`."""

    queries: Queries
    segments: IntArray  # (S, 3) label, start, end; in time order, not overlapping, without background and ignored ones


def timeline(record: VideoRecord, classes: LabelSet) -> Timeline:
    """Lay the annotations of a video out on its frames.

    Where ``classes.multi_label`` is set, labels are multi-hot rows, and overlapping segments all count. Where a single
    label is wanted nevertheless (a text to write, the actions before), it is the class of lowest index.

    Args:
        record: the video.
        classes: label set of the first task, which segments and frame labels count in.

    Raises:
        DataError: if labels and features differ in length, or a label is no class.
    """
    num_frames = record.frames.num_frames
    fill = IGNORED if classes.background is None else classes.background
    if not classes.multi_label:
        flat = _flat(record.segments, num_frames)
    else:
        order = sorted(record.segments, key=lambda segment: (segment.label != IGNORED, -segment.label))
        flat = _flat(order, num_frames)
    if record.labels is not None:
        labels = _given(record, num_frames, fill, classes.multi_label, classes.background)
    elif not classes.multi_label:
        labels = paint(flat, num_frames, fill).numpy()
    else:
        _check_classes(record, [segment.label for segment in record.segments], len(classes.names))
        labels = multi_hot(record.segments, num_frames, len(classes.names), classes.background)
    labels = _without_ignored(labels, classes.ignore)
    _check_range(record, labels, len(classes.names))
    skip = {fill, IGNORED, classes.ignore}
    kept = [row for row in (flat if record.segments else _cut_given(labels)) if row.label not in skip]
    segments = np.array(kept, dtype=np.int64).reshape(-1, 3)
    return Timeline(record.queries or every_frame(labels), segments)


def _flat(segments: Sequence[Segment], num_frames: int) -> list[Segment]:
    """Make segments disjoint, a later one of the list winning; two neighbors of one class stay two."""
    numbered = [Segment(number, start, end) for number, (_, start, end) in enumerate(segments)]
    return [Segment(segments[number].label, *span) for number, *span in cut(paint(numbered, num_frames, -1), skip=[-1])]


def _given(record: VideoRecord, num_frames: int, fill: int, multi_label: bool, background: int | None) -> Labels:
    labels = np.asarray(record.labels)
    if len(labels) != num_frames:
        raise DataError(
            f"Video {record.name!r} has {len(labels)} frame labels and {num_frames} frames of features.",
            "use labels and features that were made at the same fps from the same file",
        )
    if labels.ndim == 1:
        return labels.astype(np.int64)
    if multi_label:
        return _rows_of(record, labels, background)
    return np.where(labels.any(1), labels.argmax(1), fill).astype(np.int64)


def _rows_of(record: VideoRecord, given: Labels, background: int | None) -> NDArray[np.float32]:
    """Rows of 0 and 1 (F, C), the background where no other class is; whole rows of IGNORED stay.

    Raises:
        DataError: naming the frame of another value.
    """
    unknown = (given == IGNORED).all(1)
    wrong = ~((given == 0) | (given == 1)).all(1) & ~unknown
    if wrong.any():
        frame = int(wrong.argmax())
        raise DataError(
            f"Video {record.name!r} has the labels {given[frame].tolist()} at frame {frame}: where several can be true "
            "each is 0 or 1.",
            f"write 1 where a class is true, or {IGNORED} in a whole row that is not scored",
        )
    rows = given.astype(np.float32)
    if background is not None and background < rows.shape[1]:
        rows[:, background] = 0
        rows[:, background] = ~rows.any(1)
        rows[unknown] = IGNORED
    return rows


def _without_ignored(labels: Labels, ignore: int | None) -> Labels:
    if ignore is None:
        return labels
    scored = labels != ignore if labels.ndim == 1 else labels[:, ignore] == 0
    kept = labels.copy()
    kept[~scored] = IGNORED
    return kept


def _check_range(record: VideoRecord, labels: Labels, num_classes: int) -> None:
    if labels.ndim == 1:
        _check_classes(record, labels, num_classes)
    elif labels.shape[1] != num_classes:
        raise DataError(
            f"Video {record.name!r} has {labels.shape[1]} columns of labels, and there are {num_classes} classes.",
            "use the class list that the annotations were made with",
        )


def _check_classes(record: VideoRecord, labels: Labels | Sequence[int], num_classes: int) -> None:
    found = np.asarray(labels, dtype=np.int64)
    wrong = found[((found < 0) | (found >= num_classes)) & (found != IGNORED)]
    if len(wrong):
        raise DataError(
            f"Video {record.name!r} has {wrong[0]} as a label, and there are {num_classes} classes.",
            "use the class list that the annotations were made with",
        )


def _cut_given(labels: Labels) -> list[Segment]:
    """Segments of (F,) labels; of multi-hot rows, the runs of their lowest class."""
    if labels.ndim == 1:
        return cut(labels.tolist())
    lowest = np.where((labels > 0).any(1), (labels > 0).argmax(1), IGNORED)
    return cut(lowest.tolist())

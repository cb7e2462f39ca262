"""What is kept of predictions: columns of queries, and the rows of frames and of segments that are written of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gad_lightning.schema import DataSchema
from gad_lightning.segments import cut_runs
from gad_lightning.types import IGNORED, Predictions, first_class

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_Column = NDArray[np.int64 | np.float32]
Row = dict[str, str | int | float | None]
FRAME_COLUMNS = ("video", "task", "frame", "seconds", "label", "score", "truth")
SEGMENT_COLUMNS = ("video", "task", "start_frame", "end_frame", "start_seconds", "end_seconds", "label", "score")


class QueryColumns(NamedTuple):
    """What is kept of Q predictions, int64 but for the score; (video, query_index) is the key of a row."""

    video: _Column  # (Q,) global number
    query_index: _Column  # (Q,) number of the query within its video
    task: _Column  # (Q,)
    frame: _Column  # (Q,) frame of the video
    label: _Column  # (Q,) best class
    score: _Column  # (Q,) its probability, float32 in [0, 1]
    truth: _Column  # (Q,) true class, the first of several, or IGNORED


def columns_of(predictions: Predictions) -> QueryColumns:
    """Keep label, score and truth of every query."""
    scores, labels = predictions.scores.max(1)
    return QueryColumns(
        predictions.video.cpu().numpy(),
        predictions.query_index.cpu().numpy(),
        predictions.task.cpu().numpy(),
        predictions.frame.cpu().numpy(),
        labels.cpu().numpy(),
        scores.float().exp().cpu().numpy(),
        first_class(predictions.target).cpu().numpy(),
    )


def joined(parts: Sequence[QueryColumns]) -> QueryColumns:
    """Join parts, each (video, query_index) once, ordered by it.

    Example:
        >>> part = QueryColumns(*(np.array(column) for column in ([1, 0, 1], [0, 0, 0], *[[0, 0, 0]] * 5)))
        >>> joined([part, part]).video.tolist()
        [0, 1]
    """
    if not parts:
        none = np.zeros(0, np.int64)
        return QueryColumns(none, none, none, none, none, np.zeros(0, np.float32), none)
    columns: list[_Column] = [np.concatenate(column) for column in zip(*parts, strict=True)]
    whole = QueryColumns(*columns)
    _, first = np.unique(np.stack([whole.video, whole.query_index]), axis=1, return_index=True)
    return QueryColumns(*(column[first] for column in whole))


def frame_rows(columns: QueryColumns, schema: DataSchema, names: Sequence[str] | None) -> list[Row]:
    """One row per query, see :data:`FRAME_COLUMNS`.

    Args:
        columns: each key once, in order.
        schema: gives class and task names and frames a second.
        names: of the videos by global number; the numbers themselves if None.
    """
    rows: list[Row] = []
    for video, _, task, frame, label, score, truth in zip(*(column.tolist() for column in columns), strict=True):
        asked = schema.tasks[task]
        known = None if truth == IGNORED else asked.labels.names[truth]
        where = (_name_of(video, names), asked.name, frame, _seconds(frame, schema))
        rows.append(dict(zip(FRAME_COLUMNS, (*where, asked.labels.names[label], round(score, 6), known), strict=True)))
    return rows


def segment_rows(columns: QueryColumns, schema: DataSchema, names: Sequence[str] | None) -> list[Row]:
    """One row per run of a label, see :data:`SEGMENT_COLUMNS`; a gap between frames ends a run.

    Background and ignored classes are left out. Frames and seconds are half-open; the score is the mean of the frames'.
    Tasks that are asked once a clip have no segments. The arguments are those of :func:`frame_rows`.
    """
    rows: list[Row] = []
    for video, task in sorted(set(zip(columns.video.tolist(), columns.task.tolist(), strict=True))):
        asked = schema.tasks[task]
        if not asked.per_frame:
            continue
        chosen = np.flatnonzero((columns.video == video) & (columns.task == task))
        order = chosen[np.argsort(columns.frame[chosen], kind="stable")]
        frame, score = columns.frame[order], columns.score[order]
        gaps = torch.from_numpy(np.diff(frame, prepend=frame[0] - 1) != 1)
        runs = cut_runs(torch.from_numpy(columns.label[order]), gaps)
        for label, first, last in zip(*(part.tolist() for part in runs), strict=True):
            if label in (asked.labels.background, asked.labels.ignore):
                continue
            start, end = int(frame[first]), int(frame[last - 1]) + 1
            where = (_name_of(video, names), asked.name, start, end, _seconds(start, schema), _seconds(end, schema))
            what = (asked.labels.names[label], round(float(score[first:last].mean()), 6))
            rows.append(dict(zip(SEGMENT_COLUMNS, (*where, *what), strict=True)))
    return rows


def _name_of(video: int, names: Sequence[str] | None) -> str:
    """Name of a video."""
    return str(video) if names is None else names[video]


def _seconds(frame: int, schema: DataSchema) -> float:
    """Time of a frame, to the millisecond."""
    return round(frame / schema.features.fps, 3)

"""What is kept of predictions: columns of queries, and the rows of frames and of segments that are written of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gad_lightning.results.several import single_labels, truths_of
from gad_lightning.schema import SEPARATOR, DataSchema, LabelSet, Task
from gad_lightning.segments import cut_each, cut_runs
from gad_lightning.types import Predictions, chosen_classes, first_class, joined_names

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_Column = NDArray[np.int64 | np.float32]
Cell = str | int | float | None
Row = dict[str, Cell]
BLOCK = 65_536
"""Queries whose rows are made together."""
NOTHING = "-"
"""The true labels of a frame that has none, where several can be true and there is no background."""
FRAME_COLUMNS = ("video", "task", "frame", "seconds", "label", "score", "truth")
REJECTION_COLUMNS = ("rejection", "nearest")
SEGMENT_COLUMNS = ("video", "task", "start_frame", "end_frame", "start_seconds", "end_seconds", "label", "score")


class QueryColumns(NamedTuple):
    """What is kept of Q predictions, int64 but for the score; (video, query_index) is the key of a row."""

    video: _Column  # (Q,) global number
    query_index: _Column  # (Q,) number of the query within its video
    task: _Column  # (Q,)
    frame: _Column  # (Q,) frame of the video
    label: _Column  # (Q,) best class
    score: _Column  # (Q,) its probability, float32 in [0, 1]
    truth: _Column  # (Q,) true class, of several see gad_lightning.results.several; C if none of them; or IGNORED
    probabilities: NDArray[np.float32] | None = None  # (Q, M), where several labels can be true: those of all classes
    truths: NDArray[np.int8] | None = None  # (Q, M): 1 true, 0 not true, -1 unknown
    scores: NDArray[np.float32] | None = None  # (Q, M) log-probabilities, where events are still to be decided
    on: NDArray[np.bool_] | None = None  # (Q, M) once they are: classes whose event goes on
    sets: NDArray[np.bool_] | None = None  # (Q, M) classes that a frame may show, where label sets were fitted
    rejection: NDArray[np.float32] | None = None  # (Q,) above 0 where unknown, where that is asked; -inf: cannot be
    nearest: NDArray[np.int64] | None = None  # (Q,) likeliest known class, kept with the rejection


def columns_of(predictions: Predictions, tasks: Sequence[Task] = (), to_decide: bool = False) -> QueryColumns:
    """Keep label, score and truth of every query; of ``tasks`` where several labels can be true what each class has.

    Args:
        predictions: Q queries.
        tasks: of the schema.
        to_decide: keep the scores of all classes too.
    """
    scores, labels = predictions.scores.max(1)
    truth = first_class(predictions.target).to(labels.device)
    size = max((len(task.labels.names) for task in tasks if task.labels.multi_label), default=0)
    probabilities, truths = predictions.scores[:, :size].float().exp(), truths_of(predictions.target, size)
    for number, task in enumerate(tasks):
        if task.labels.multi_label:
            asked = (predictions.task == number).nonzero().squeeze(1)
            own, known = (part[asked.to(part.device), : len(task.labels.names)] for part in (probabilities, truths))
            found = single_labels(own, chosen_classes(own, task.labels), known.to(own.device))
            labels[asked.to(labels.device)], truth[asked.to(labels.device)] = found
    nearest, unknown = labels.cpu().numpy(), predictions.unknown.to(labels.device)
    rejected = predictions.rejection
    if bool(unknown.any()):  # the class after the last one of its task
        sizes = torch.tensor([len(task.labels.names) for task in tasks], device=labels.device)
        labels = torch.where(unknown, sizes[predictions.task.to(labels.device)], labels)
    kept = (predictions.video, predictions.query_index, predictions.task, predictions.frame, labels)
    video, query_index, asked_task, frame, label = (column.cpu().numpy() for column in kept)
    return QueryColumns(
        video,
        query_index,
        asked_task,
        frame,
        label,
        scores.float().exp().cpu().numpy(),
        truth.cpu().numpy(),
        probabilities.cpu().numpy() if size else None,
        truths.cpu().numpy() if size else None,
        predictions.scores.float().cpu().numpy() if to_decide else None,
        rejection=None if rejected is None else rejected.float().cpu().numpy(),
        nearest=None if rejected is None else nearest,
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
    # a process without a row does not know the classes
    parts = [part for part in parts if len(part.video)] or parts[:1]
    kept = [name for name, column in parts[0]._asdict().items() if column is not None]
    whole = {name: np.concatenate([part._asdict()[name] for part in parts]) for name in kept}
    _, first = np.unique(np.stack([whole["video"], whole["query_index"]]), axis=1, return_index=True)
    return QueryColumns(**{name: column[first] for name, column in whole.items()})


def frame_rows(columns: QueryColumns, schema: DataSchema, names: Sequence[str] | None) -> Iterator[Row]:
    """One row per query, in constant memory, see :func:`frame_columns`.

    Args:
        columns: each key once, in order.
        schema: gives class and task names and frames a second.
        names: of the videos by global number; the numbers themselves if None.
    """
    single = (columns.video, columns.task, columns.frame, columns.label, columns.score, columns.truth)
    blocks = (
        zip(*(column[start : start + BLOCK].tolist() for column in single), strict=True)
        for start in range(0, len(columns.video), BLOCK)
    )
    for row, (video, task, frame, label, score, truth) in enumerate(chain.from_iterable(blocks)):
        asked = schema.tasks[task]
        where = (_name_of(video, names), asked.name, frame, _seconds(frame, schema))
        if asked.labels.multi_label:
            what: tuple[Cell, ...] = _several_cells(columns, row, asked.labels)
        else:
            # an unknown action has a name only where the classes that are shown have one for it
            known = asked.labels.names[truth] if 0 <= truth < len(asked.labels.names) else None
            what = (asked.labels.names[label], round(score, 6), known)
        told = _rejection_cells(columns, row, asked.labels)
        yield dict(zip(frame_columns(columns), (*where, *what, *told), strict=True))


def frame_columns(columns: QueryColumns) -> tuple[str, ...]:
    """Names of the cells of :func:`frame_rows`; the last two tell of the rejection, where it is asked."""
    return FRAME_COLUMNS if columns.rejection is None else (*FRAME_COLUMNS, *REJECTION_COLUMNS)


def _rejection_cells(columns: QueryColumns, row: int, labels: LabelSet) -> tuple[Cell, ...]:
    """The rejection score of a frame, empty where it cannot be unknown, and its likeliest known class."""
    if columns.rejection is None or columns.nearest is None:
        return ()
    score, nearest = float(columns.rejection[row]), int(columns.nearest[row])
    return round(score, 6) if math.isfinite(score) else None, labels.names[nearest] if nearest >= 0 else None


def _several_cells(columns: QueryColumns, row: int, labels: LabelSet) -> tuple[Cell, Cell, Cell]:
    """The labels of a frame, their probabilities and the true labels, each joined by ``"; "``.

    The cell of the truth is empty where it is unknown, and :data:`NOTHING` where no class is true.
    """
    assert columns.probabilities is not None, "kept of tasks with several labels"
    assert columns.truths is not None, "kept with the probabilities"
    if columns.on is None:
        chosen = chosen_classes(torch.from_numpy(columns.probabilities[row : row + 1]), labels)[0]
    else:
        chosen = torch.from_numpy(columns.on[row, : len(labels.names)].copy())
        if labels.background is not None:
            chosen[labels.background] = ~chosen.any()
    score = SEPARATOR.join(f"{columns.probabilities[row, index]:.6f}" for index in chosen.nonzero().flatten().tolist())
    truths = torch.from_numpy(columns.truths[row, : len(labels.names)])
    known = None if bool((truths < 0).any()) else joined_names(truths > 0, labels) or NOTHING
    return joined_names(chosen, labels), score, known


def segment_rows(columns: QueryColumns, schema: DataSchema, names: Sequence[str] | None) -> Iterator[Row]:
    """One row per run of a label, see :func:`segment_columns`; a gap between frames ends a run.

    Where events were decided each is a row, and those of different labels may overlap. Background and ignored classes
    are left out. Frames and seconds are half-open; the score is the mean of the frames'. Tasks that are asked once a
    clip have no segments. The arguments are those of :func:`frame_rows`.
    """
    for video, task in np.unique(np.stack([columns.video, columns.task], 1), axis=0).tolist():
        asked = schema.tasks[task]
        if not asked.per_frame:
            continue
        chosen = np.flatnonzero((columns.video == video) & (columns.task == task))
        order = chosen[np.argsort(columns.frame[chosen], kind="stable")]
        frame = columns.frame[order]
        gaps = torch.from_numpy(np.diff(frame, prepend=frame[0] - 1) != 1)
        for label, first, last, score in _runs(columns, order, asked.labels, gaps):
            start, end = int(frame[first]), int(frame[last - 1]) + 1
            where = (_name_of(video, names), asked.name, start, end, _seconds(start, schema), _seconds(end, schema))
            what: tuple[Cell, ...] = (asked.labels.names[label], round(score, 6))
            if columns.sets is not None:
                what = (*what, joined_names(torch.from_numpy(columns.sets[order[first]]), asked.labels))
            yield dict(zip(segment_columns(columns), (*where, *what), strict=True))


def segment_columns(columns: QueryColumns) -> tuple[str, ...]:
    """Names of the cells of :func:`segment_rows`; the last one is ``set`` where label sets were fitted."""
    return SEGMENT_COLUMNS if columns.sets is None else (*SEGMENT_COLUMNS, "set")


def _runs(columns: QueryColumns, order: Ints, labels: LabelSet, gaps: Tensor) -> Iterator[tuple[int, int, int, float]]:
    """Runs of the actions of one video in time order: class, first row, row after the last one, mean probability."""
    if labels.multi_label or columns.on is not None:
        assert columns.probabilities is not None, "kept of tasks with several labels, and where events were decided"
        probabilities = columns.probabilities[order]
        if columns.on is None:
            chosen = chosen_classes(torch.from_numpy(probabilities), labels)
        else:
            chosen = torch.from_numpy(columns.on[order])
        segments = cut_each(chosen, [index for index in (labels.background, labels.ignore) if index is not None], gaps)
        for label, first, last in segments:
            yield label, first, last, float(probabilities[first:last, label].mean())
        return
    runs, scores = cut_runs(torch.from_numpy(columns.label[order]), gaps), columns.score[order]
    for label, first, last in zip(*(part.tolist() for part in runs), strict=True):
        if label not in (labels.background, labels.ignore):
            yield label, first, last, float(scores[first:last].mean())


def _name_of(video: int, names: Sequence[str] | None) -> str:
    """Name of a video."""
    return str(video) if names is None else names[video]


def _seconds(frame: int, schema: DataSchema) -> float:
    """Time of a frame, to the millisecond."""
    return round(frame / schema.features.fps, 3)

"""Puts what a classifier's decisions say in the place of the likeliest class, once all predictions are there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gad_lightning.decisions.observed import Bools, Ints
from gad_lightning.decisions.path import Decisions
from gad_lightning.results.rows import QueryColumns
from gad_lightning.schema import DataSchema


def decided_columns(
    columns: QueryColumns, schema: DataSchema, shown: DataSchema, decisions: Sequence[Decisions | None]
) -> QueryColumns:
    """Decide all videos of all tasks.

    Args:
        columns: each key once, with scores where there are decisions.
        schema: of the classifier.
        shown: the same, with a last class "unknown" where queries may be so.
        decisions: of each task; None leaves its labels as they are.

    Returns:
        The columns with calibrated probabilities, labels, scores, events and sets; the same ones without decisions.
    """
    if columns.scores is None:
        return columns
    width = max(len(task.labels.names) for task in shown.tasks)
    probabilities = np.zeros((len(columns.scores), width), dtype=np.float32)
    label, score = columns.label.copy(), columns.score.copy()
    on = np.zeros(probabilities.shape, dtype=bool)
    sets = on.copy()
    for number, made in enumerate(decisions):
        rows = np.flatnonzero(columns.task == number)
        rows = rows[np.lexsort((columns.frame[rows], columns.video[rows]))]
        classes = schema.tasks[number].labels
        size, last = len(classes.names), len(shown.tasks[number].labels.names)
        used = made or Decisions(classes, schema.features.fps)
        unknown = columns.label[rows] == size if last > size else None
        found = used(columns.scores[rows, :size].astype(np.float64), _breaks(columns, rows), unknown)
        probabilities[rows, :last], on[rows, :last], sets[rows, :last] = found.probabilities, found.on, found.on
        if used.sets is not None:
            sets[rows, :size] = used.sets(found.probabilities[:, :size])
        chosen = np.where(found.chosen, found.probabilities, -1).argmax(1)
        label[rows], score[rows] = chosen, found.probabilities[np.arange(len(rows)), chosen]
    given = any(made is not None and made.sets is not None for made in decisions)
    return columns._replace(
        label=label, score=score, probabilities=probabilities, scores=None, on=on, sets=sets if given else None
    )


def _breaks(columns: QueryColumns, rows: Ints) -> Bools:
    """(R,) True at the first frame of a video, and after a gap."""
    video, frame = columns.video[rows], columns.frame[rows]
    found: Bools = (np.diff(video, prepend=-1) != 0) | (np.diff(frame, prepend=-2) != 1)
    return found

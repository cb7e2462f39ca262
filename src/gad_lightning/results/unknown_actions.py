"""Actions that are none of the classes, in folders of predictions: their label, and what the rows say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gad_lightning.results.rows import REJECTION_COLUMNS, Floats, Ints, QueryColumns
from gad_lightning.schema import UNKNOWN, DataSchema, Task
from gad_lightning.types import IGNORED


def with_unknown(shown: DataSchema, columns: QueryColumns) -> DataSchema:
    """The classes that are shown, with a last one "unknown" in each task whose truth has actions of no class."""
    tasks = []
    for number, task in enumerate(shown.tasks):
        truth = columns.truth[columns.task == number]
        beyond = len(truth) > 0 and int(truth.max()) == len(task.labels.names)
        labels = task.labels._replace(names=(*task.labels.names, UNKNOWN)) if beyond else task.labels
        tasks.append(task._replace(labels=labels))
    return shown._replace(tasks=tuple(tasks))


def open_tasks(known: DataSchema, shown: DataSchema) -> tuple[str, ...]:
    """Names of the tasks whose last class is that of actions of no class."""
    return tuple(
        task.name
        for task, own in zip(shown.tasks, known.tasks, strict=True)
        if len(task.labels.names) > len(own.labels.names)
    )


def rejection_of(task: Task, rows: Sequence[Mapping[str, str]]) -> tuple[Floats, Ints] | None:
    """Rejection score, -inf where a frame cannot be unknown, and likeliest known class of each row; None if not there.

    Raises:
        KeyError: if a class is none of the task's.
        ValueError: if a score is no number.
    """
    score, nearest = REJECTION_COLUMNS
    if not rows or not {score, nearest} <= set(rows[0]):
        return None
    index = {"": IGNORED} | {name: place for place, name in enumerate(task.labels.names)}
    scores = np.array([float(row[score]) if row[score] else -np.inf for row in rows])
    if np.isnan(scores).any():
        raise ValueError("a rejection score is nan")
    return scores, np.array([index[row[nearest]] for row in rows], dtype=np.int64)

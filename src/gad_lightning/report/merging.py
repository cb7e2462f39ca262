"""Several runs that were asked the same: one order of classes for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gad_lightning.report.runs import RunTraces
from gad_lightning.report.scores import Scores, score
from gad_lightning.results.predictions import TaskPredictions
from gad_lightning.results.rows import Ints
from gad_lightning.schema import LabelSet
from gad_lightning.types import IGNORED


class TaskOfRuns(NamedTuple):
    """One task, and what every run that was asked it predicted; the lists go together."""

    task: str
    labels: LabelSet
    per_frame: bool
    names: list[str]  # of the runs
    predictions: list[TaskPredictions]
    fps: list[float]
    scores: list[Scores]

    @property
    def same_test(self) -> bool:
        """Whether all runs were asked at the same frames, of the same true classes."""
        first, *others = self.predictions
        return all(first.same_test(other) for other in others)


def collected(runs: Sequence[RunTraces], task: str) -> TaskOfRuns:
    """Score a task for all runs that have it."""
    with_it = [(run, found) for run in runs for found in run.predictions if found.task.name == task]
    labels = joined([found.task.labels for _, found in with_it])
    predictions = [_relabeled(found, labels) for _, found in with_it]
    scores, counted = [], all(task in run.training for run, _ in with_it)  # bands must mean the same in all runs
    for (run, before), after in zip(with_it, predictions, strict=True):
        counts = None
        if counted:
            table = dict(zip(before.task.labels.names, run.training[task], strict=True))
            counts = [table.get(name, 0) for name in labels.names]
        scores.append(score(after, run.fps, counts))
    names, fps = [run.name for run, _ in with_it], [run.fps for run, _ in with_it]
    return TaskOfRuns(task, labels, predictions[0].task.per_frame, names, predictions, fps, scores)


def joined(label_sets: Sequence[LabelSet]) -> LabelSet:
    """The classes of all runs: those of the first, then what others have beside them; any run's background is one.

    Example:
        >>> joined([LabelSet(("rest", "stir"), 0), LabelSet(("stir", "pour"))])
        LabelSet(names=('rest', 'stir', 'pour'), background=0, ignore=None, multi_label=False)
    """
    names = tuple(dict.fromkeys(name for labels in label_sets for name in labels.names))
    backgrounds = [labels.names[labels.background] for labels in label_sets if labels.background is not None]
    ignored = [labels.names[labels.ignore] for labels in label_sets if labels.ignore is not None]
    background, ignore = (names.index(marked[0]) if marked else None for marked in (backgrounds, ignored))
    return LabelSet(names, background, ignore, any(labels.multi_label for labels in label_sets))


def _relabeled(predictions: TaskPredictions, labels: LabelSet) -> TaskPredictions:
    """The same with the classes numbered as in ``labels``."""
    number = np.array([labels.names.index(name) for name in predictions.task.labels.names])

    def renumbered(column: Ints) -> Ints:
        """Labels as numbers of the other set."""
        found: Ints = np.where(column == IGNORED, IGNORED, number[column.clip(0)])
        return found

    label, truth = renumbered(predictions.label), renumbered(predictions.truth)
    if predictions.unknown is not None:
        nearest = None if predictions.nearest is None else renumbered(predictions.nearest)
        predictions = predictions._replace(unknown=int(number[predictions.unknown]), nearest=nearest)
    task, classes = predictions.task._replace(labels=labels), np.arange(len(labels.names))
    labels_of, truths_of = predictions.labels, predictions.truths
    if not labels.multi_label:
        return predictions._replace(task=task, label=label, truth=truth)
    if labels_of is None or truths_of is None:  # a run of one label a frame beside one of several
        labels_of = label[:, None] == classes
        truths_of = np.where(truth[:, None] == IGNORED, -1, truth[:, None] == classes).astype(np.int8)
        return predictions._replace(task=task, label=label, truth=truth, labels=labels_of, truths=truths_of)
    unknown = np.where(truths_of[:, :1] < 0, -1, 0).astype(np.int8)
    wide, true = np.zeros((len(label), len(classes)), dtype=np.bool_), np.repeat(unknown, len(classes), 1)
    wide[:, number], true[:, number] = labels_of, truths_of
    return predictions._replace(task=task, label=label, truth=truth, labels=wide, truths=true)

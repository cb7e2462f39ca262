"""Several runs that were asked the same: one order of classes for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gad_lightning.report.runs import Ints, Run, Told
from gad_lightning.report.scores import Scores, score
from gad_lightning.schema import LabelSet
from gad_lightning.types import IGNORED


class Asked(NamedTuple):
    """One task, and what every run that was asked it said; the lists go together."""

    task: str
    labels: LabelSet
    per_frame: bool
    names: list[str]  # of the runs
    told: list[Told]
    fps: list[float]
    scores: list[Scores]

    @property
    def same_test(self) -> bool:
        """Whether all runs were asked at the same frames, of the same true classes."""
        first, *others = self.told
        return all(
            other.videos == first.videos
            and all(np.array_equal(getattr(other, name), getattr(first, name)) for name in ("video", "frame", "truth"))
            for other in others
        )


def collected(runs: Sequence[Run], task: str) -> Asked:
    """Score a task for all runs that have it."""
    with_it = [(run, told) for run in runs for told in run.told if told.task.name == task]
    labels = joined([told.task.labels for _, told in with_it])
    told = [_relabeled(told, labels) for _, told in with_it]
    scores, counted = [], all(task in run.training for run, _ in with_it)  # bands must mean the same in all runs
    for (run, before), after in zip(with_it, told, strict=True):
        counts = None
        if counted:
            table = dict(zip(before.task.labels.names, run.training[task], strict=False))
            counts = [table.get(name, 0) for name in labels.names]
        scores.append(score(after, run.fps, counts))
    names, fps = [run.name for run, _ in with_it], [run.fps for run, _ in with_it]
    return Asked(task, labels, told[0].task.per_frame, names, told, fps, scores)


def joined(label_sets: Sequence[LabelSet]) -> LabelSet:
    """The classes of all runs: those of the first, then what others have beside them; any run's background is one.

    Example:
        >>> joined([LabelSet(("rest", "stir"), 0), LabelSet(("stir", "pour"))])
        LabelSet(names=('rest', 'stir', 'pour'), background=0, ignore=None, multi_label=False)
    """
    names = tuple(dict.fromkeys(name for labels in label_sets for name in labels.names))
    marks = ("background", "ignore")
    known = {mark: [s.names[at] for s in label_sets if (at := getattr(s, mark)) is not None] for mark in marks}
    background, ignore = (names.index(known[mark][0]) if known[mark] else None for mark in marks)
    return LabelSet(names, background, ignore, any(labels.multi_label for labels in label_sets))


def _relabeled(told: Told, labels: LabelSet) -> Told:
    """The same with the classes numbered as in ``labels``."""
    number = np.array([labels.names.index(name) for name in told.task.labels.names])

    def renumbered(column: Ints) -> Ints:
        found: Ints = np.where(column == IGNORED, IGNORED, number[column.clip(0)])
        return found

    task = told.task._replace(labels=labels)
    return told._replace(task=task, label=renumbered(told.label), truth=renumbered(told.truth))

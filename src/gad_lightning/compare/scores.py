"""From the predictions of finished runs to counts per video, which a bootstrap can add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from gad_lightning.compare.statistics import FloatArray, Value
from gad_lightning.results import standard
from gad_lightning.results.predictions import TaskPredictions
from gad_lightning.results.standard import StandardMetric, space_of, table_of
from gad_lightning.schema import Task


def counts_of(predictions: TaskPredictions, metric: StandardMetric, fps: float) -> FloatArray:
    """Count per video what a metric is a function of: (V, K) float64."""
    space = space_of(predictions.task, metric.single)
    tables = [table_of(predictions, video, metric.single) for video in range(len(predictions.videos))]
    rows = [metric.counts(table, space, fps) for table in tables]
    return torch.stack(rows).double().numpy()


def value_of(metric: StandardMetric, task: Task) -> Value:
    """The function from summed counts (..., K) to scores (...)."""
    space = space_of(task, metric.single)

    def value(counts: FloatArray) -> FloatArray:
        """Scores (...) of counts (..., K)."""
        return np.asarray(metric.value(torch.from_numpy(counts), space).double().numpy())

    return value


def metrics_named(names: Sequence[str] | None, task: Task) -> list[StandardMetric]:
    """The metrics of these names that make sense for a task; all standard ones and those of alarms if None.

    Raises:
        KeyError: on another name.
    """
    if names is None:
        return [*standard.metrics_of(task), *(standard.TIMELY if task.per_frame else ())]
    every = (*standard.STANDARD, standard.FRAME_F1, standard.ERROR_DIVERSITY, *standard.TIMELY)
    known = {metric.name: metric for metric in every}
    chosen = [known[name] for name in names]
    return [metric for metric in chosen if task.per_frame or metric.of_clips]


def grouped(videos: Sequence[str], groups: Mapping[str, str], counts: FloatArray) -> tuple[tuple[str, ...], FloatArray]:
    """Add up the counts of the videos of one group: names of the units, and (V, K) -> (U, K).

    Videos of one person or place are alike, so they are drawn together: as if each were new the intervals would be too
    narrow. A video of no group is a unit of its own.

    Example:
        >>> grouped(["a", "b", "c"], {"a": "kim", "c": "kim"}, np.array([[1.0], [2.0], [4.0]]))[1].tolist()
        [[5.0], [2.0]]
    """
    names = [groups.get(video, video) for video in videos]
    units = tuple(dict.fromkeys(names))
    if len(units) < 2:  # nothing could be said of other people or places
        return tuple(videos), counts
    summed = np.zeros((len(units), counts.shape[1]))
    np.add.at(summed, [units.index(name) for name in names], counts)
    return units, summed

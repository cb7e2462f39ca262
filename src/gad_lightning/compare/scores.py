"""From the predictions of finished runs to counts per video, which a bootstrap can add up."""

from __future__ import annotations

from collections.abc import Sequence

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
        return np.asarray(metric.value(torch.from_numpy(counts), space).double().numpy())

    return value


def metrics_named(names: Sequence[str] | None, task: Task) -> list[StandardMetric]:
    """The metrics of these names that make sense for a task; all standard ones if None.

    Raises:
        KeyError: on another name.
    """
    possible = standard.metrics_of(task)
    if names is None:
        return possible
    known = {metric.name: metric for metric in (*standard.STANDARD, standard.FRAME_F1, standard.ERROR_DIVERSITY)}
    chosen = [known[name] for name in names]
    return [metric for metric in chosen if task.per_frame or metric.of_clips]

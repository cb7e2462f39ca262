"""Fits decisions to what a classifier says of the validation split, and tells what they cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from gad_lightning.classifiers.segment_means import batches_of
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.data.records import timeline
from gad_lightning.decisions.counting import cost_of, rate_bound, track_of, video_draws
from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.observed import Ints, Observed
from gad_lightning.decisions.path import Decisions, FittedOn
from gad_lightning.decisions.risk import RiskControl
from gad_lightning.decisions.steady import SteadyLabels
from gad_lightning.decisions.switches import MinimumDuration
from gad_lightning.decisions.temperature import Temperature, reliability
from gad_lightning.decisions.thresholds import AlarmThresholds, ClassCost, Thresholds, class_cost
from gad_lightning.results.several import truths_of
from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch, Predictions

CONFIDENCE = 0.95
"""Of the bounds that are printed beside thresholds which state none."""


class Wanted(NamedTuple):
    """What is to be fitted."""

    thresholds: AlarmThresholds | RiskControl | SteadyLabels
    duration: MinimumDuration
    sets: ConformalLabels | None


def observed_in(
    data: ActionDataModule,
    score: Callable[[Batch], Predictions],
    device: torch.device,
    schema: DataSchema,
    task: int,
    split: Split = "val",
) -> Observed:
    """Score every frame of a split once; videos are in the order of the data's records.

    Args:
        data: with videos in the split.
        score: scores a batch, and says what is unknown.
        device: of the classifier.
        schema: of the classifier.
        task: index of the task whose frames count.
        split: ``val`` to fit to; another one only to measure what was fitted.
    """
    labels = schema.tasks[task].labels
    parts, classes = [], len(labels.names)
    for batch in batches_of(data.dataset(split), data.eval_batch_size, device):
        found = score(batch)
        asked = (found.task.cpu() == task) & (batch.horizon == 0)
        truth = truths_of(found.target, classes)
        columns = (found.scores[:, :classes].double(), truth, found.video, found.frame, found.unknown)
        parts.append([column.cpu()[asked] for column in columns])
    scores, known, video, frame, unknown = (torch.cat(column).numpy() for column in zip(*parts, strict=True))
    order = np.lexsort((frame, video))
    places = np.unique(video, return_inverse=True)[1][order].astype(np.int64)
    fps = schema.features.fps
    return Observed(scores[order], known[order], places, frame[order], labels, fps, unknown[order]).checked()


def fitted(seen: Observed, wanted: Wanted, timelines: Sequence[Ints] = ()) -> Decisions:
    """Fit in the order of the path: temperature, thresholds or steady labels, label sets.

    Args:
        seen: with log-probabilities.
        wanted: what to fit.
        timelines: classes of the frames of every training video, for steady labels.

    Raises:
        DataError: if the videos are too few or too short for what is stated.
    """
    temperature, frames = Temperature.fit(seen), wanted.duration.frames(seen.fps)
    calibrated = seen._replace(scores=temperature(seen.scores, seen.labels.multi_label))
    counted = calibrated  # what is unknown counts for no class
    if seen.unknown is not None:
        counted = calibrated._replace(scores=calibrated.scores * ~seen.unknown[:, None])
    chosen: Thresholds | None = None
    costs: list[ClassCost] = []
    steady = wanted.thresholds.fit(counted, timelines) if isinstance(wanted.thresholds, SteadyLabels) else None
    if isinstance(wanted.thresholds, AlarmThresholds):
        chosen, costs = wanted.thresholds.fit(counted, frames)
    elif isinstance(wanted.thresholds, RiskControl):
        chosen = wanted.thresholds.fit(counted, frames)
        costs = _costs_of(counted, chosen, frames)
    told = FittedOn(
        videos=seen.num_videos,
        hours=round(float(seen.hours.sum()), 4),
        before=reliability(seen, Temperature()),
        after=reliability(seen, temperature),
        costs=tuple(costs),
        steadiness=None if steady is None else steady.steadiness(counted),
    )
    sets = None if wanted.sets is None else wanted.sets.fit(calibrated)
    return Decisions(seen.labels, seen.fps, temperature, chosen, wanted.duration, sets, told, steady)


def timelines_of(data: ActionDataModule, task: int) -> list[Ints]:
    """Classes of the frames of every training video, (F,) each, below 0 where none is known; of one label a frame."""
    found = []
    for record in data.videos("train"):
        asked = timeline(record, data.schema.tasks[0].labels).queries
        rows = np.flatnonzero((asked.task == task) & (asked.horizon == 0))
        found.append(asked.label[rows[asked.anchor[rows].argsort(kind="stable")]].astype(np.int64))
    return found


def _costs_of(seen: Observed, chosen: Thresholds, frames: int) -> list[ClassCost]:
    """What thresholds cost that were chosen for all classes together."""
    draws, rows = video_draws(seen.num_videos), []
    for label in seen.actions:
        pair = (chosen.enter[label], chosen.leave[label])
        cost = cost_of(track_of(seen, label), *pair, frames)
        rows.append(class_cost(seen, label, pair, cost, rate_bound(cost.alarms, seen.hours, draws, CONFIDENCE)))
    return rows

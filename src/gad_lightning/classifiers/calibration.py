"""Fits decisions to what a classifier says of the validation split, and tells what they cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from gad_lightning.classifiers.segment_means import batches_of
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.decisions.counting import cost_of, rate_bound, track_of, video_draws
from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.observed import Ints, Observed
from gad_lightning.decisions.path import Decisions, FittedOn
from gad_lightning.decisions.risk import RiskControl
from gad_lightning.decisions.steady import Steadiness, SteadyLabels, steadiness
from gad_lightning.decisions.switches import MinimumDuration
from gad_lightning.decisions.temperature import Temperature, reliability
from gad_lightning.decisions.thresholds import AlarmThresholds, ClassCost, Thresholds, class_cost
from gad_lightning.errors import DataError
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
    )
    sets = None if wanted.sets is None else wanted.sets.fit(calibrated)
    if not isinstance(wanted.thresholds, SteadyLabels):
        return Decisions(seen.labels, seen.fps, temperature, chosen, wanted.duration, sets, told)
    steady, worth = _steadiest(seen, wanted.thresholds, partial(_with_steady, seen, temperature, wanted), timelines)
    told = told._replace(steadiness=worth)
    return Decisions(seen.labels, seen.fps, temperature, None, wanted.duration, sets, told, steady)


def _with_steady(seen: Observed, temperature: Temperature, wanted: Wanted, steady: SteadyLabels) -> Decisions:
    return Decisions(seen.labels, seen.fps, temperature, None, wanted.duration, steady=steady)


def _steadiest(
    seen: Observed, way: SteadyLabels, made: Callable[[SteadyLabels], Decisions], timelines: Sequence[Ints]
) -> tuple[SteadyLabels, Steadiness]:
    """The candidate whose labels, as they are shown, have the highest segment-F1; the first one of several.

    Raises:
        DataError: if several labels can be true at once, or nothing can be learned from the videos.
    """
    if seen.labels.multi_label:
        raise DataError(
            f"{type(way).__name__} needs one label a frame; here several can be true at once.", "choose thresholds"
        )
    tried = [(one, steadiness_of(made(one), seen)) for one in way.candidates(seen.labels, timelines)]
    return max(tried, key=lambda pair: pair[1].segment_f1)


def steadiness_of(made: Decisions, seen: Observed) -> Steadiness:
    """What decisions with steady labels are worth on videos, in the labels that they show.

    Args:
        made: with steady labels.
        seen: with log-probabilities.
    """
    assert made.steady is not None, "steady labels were asked for"
    shown = made(seen.scores, seen.breaks, seen.unknown).chosen.argmax(1)
    return steadiness(seen, seen.scores.argmax(1), shown, made.steady.told())


def timelines_of(data: ActionDataModule, task: int) -> list[Ints]:
    """Classes of the frames of every training video, (F,) each, below 0 where none is known; of one label a frame."""
    found = []
    for laid in data.dataset("train").timelines:
        asked = laid.queries
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

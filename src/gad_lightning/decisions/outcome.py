"""What decisions do to videos whose truth is known, in figures to be held against what was stated."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gad_lightning.decisions.observed import Bools, Observed
from gad_lightning.decisions.path import Decisions
from gad_lightning.decisions.risk import RiskControl
from gad_lightning.metrics.functional.answer_readiness import answers
from gad_lightning.metrics.functional.detection_delay import Detections, delay_details, detections
from gad_lightning.metrics.functional.frames import FrameTable
from gad_lightning.metrics.functional.labels import LabelSpace
from gad_lightning.metrics.functional.video_means import video_losses, video_means
from gad_lightning.types import IGNORED


def outcome_of(observed: Observed, made: Decisions) -> dict[str, float]:
    """Decide videos and count.

    Args:
        observed: with log-probabilities; frames of known truth among them.
        made: fitted to other videos.

    Returns:
        ``alarm_recall``, the share of true actions found; ``median_delay``, seconds until they are;
        ``false_alarms_per_hour`` of all classes together and ``most_false_alarms_per_hour`` of the class with most;
        ``readiness``, see :class:`~gad_lightning.AnswerReadiness`; with :class:`~gad_lightning.RiskControl` the
        ``risk``, the mean loss of a video; with label sets ``coverage`` and ``set_size``, means over videos. nan where
        there is nothing to count.
    """
    decided = made(observed.scores, observed.breaks, observed.unknown)
    classes = len(observed.labels.names)
    table = _table_of_events(observed, decided.on[:, :classes])
    space = LabelSpace(classes + 1, classes, IGNORED)
    hours = float(observed.hours.sum())
    found = detections(table, space)
    details = delay_details(found, space, observed.fps)
    early, late = answers(table, space).kept()
    per_class = torch.bincount(found.alarms, minlength=classes) / hours
    values = {
        "alarm_recall": 1 - float(details["missed"]),
        "median_delay": float(details["median_seconds"]),
        "false_alarms_per_hour": float(per_class.sum()),
        "most_false_alarms_per_hour": float(per_class.max()),
        "readiness": float((early * late).mean()),
    }
    if isinstance(made.thresholds, RiskControl):
        values["risk"] = _risk(observed, table, found, made.thresholds)
    if made.sets is not None:
        values |= _coverage(observed, made.sets(decided.probabilities[:, :classes]))
    return values


def _table_of_events(observed: Observed, on: Bools) -> FrameTable:
    """Frames of one class after the other, where it is on or true; label C is "not this class"."""
    classes, actions = on.shape[1], np.array(observed.actions, dtype=np.int64)
    true = observed.truth == 1
    place, row = np.nonzero((on | true)[:, actions].T)
    label = actions[place]
    begins = np.diff(row, prepend=-2) != 1
    known = observed.known[row]
    columns = (
        np.where(on[row, label], label, classes),
        np.where(known, np.where(true[row, label], label, classes), IGNORED),
        observed.video[row],
        observed.frame[row],
        begins | (np.diff(place, prepend=-1) != 0) | observed.breaks[row],
    )
    return FrameTable(*map(torch.from_numpy, columns))


def _risk(observed: Observed, table: FrameTable, found: Detections, control: RiskControl) -> float:
    """Mean loss of the videos whose truth is known somewhere."""

    def by_video(rows: Tensor) -> Tensor:
        """How many of these rows are of each video."""
        return torch.bincount(table.video[rows], minlength=observed.num_videos)

    missed, segments, alarms = map(by_video, (found.start[found.delay < 0], found.start, found.alarm_start))
    hours = torch.from_numpy(observed.hours)
    losses = video_losses(control.loss, missed, segments, alarms, hours).clamp(max=control.largest)
    return float(losses[hours > 0].mean())


def _coverage(observed: Observed, sets: Bools) -> dict[str, float]:
    """Means over videos of the share of frames whose true label is in the set, and of the labels in it."""
    held = (sets & (observed.truth == 1)).any(1)
    known, video = torch.from_numpy(observed.known), torch.from_numpy(observed.video)
    means = {
        name: video_means(torch.from_numpy(column).double(), known, video, observed.num_videos)
        for name, column in (("coverage", held), ("set_size", sets.sum(1)))
    }
    return {name: float(values.nanmean()) for name, values in means.items()}

"""The one way from scores to events, for whole videos and live streams: temperature, thresholds, durations, sets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch

from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.observed import Bools, Floats
from gad_lightning.decisions.switches import MinimumDuration, switched
from gad_lightning.decisions.temperature import Temperature
from gad_lightning.decisions.thresholds import Thresholds
from gad_lightning.errors import CheckpointError
from gad_lightning.parts import Part
from gad_lightning.schema import LabelSet
from gad_lightning.segments import cut_each


class Event(NamedTuple):
    """One action that was noticed, half-open in frames."""

    start: int  # frame of the alarm
    end: int
    label: int
    score: float  # mean calibrated probability of the label over the event, in [0, 1]
    set: tuple[int, ...]  # classes that the first frame may show, at the stated error; the label alone without sets


class Decided(NamedTuple):
    """What was decided of F frames."""

    probabilities: Floats  # (F, C) calibrated
    on: Bools  # (F, C) classes whose event goes on; the background never is
    chosen: Bools  # (F, C) the label shown, or the labels where several can be true


class Decisions(Part):
    """What turns the scores of a task into events; fitted after training, kept in the checkpoint.

    The order is scores, temperature, thresholds and durations, events. Each class goes on and off by itself, so events
    of different classes may overlap. Of one label a frame the label shown is the likeliest class that is on, the
    background where none is, or the likeliest class where there is no background.

    Args:
        labels: the classes that it was fitted for.
        fps: frames a second.
        temperature: None changes nothing.
        thresholds: of every class; None takes the likeliest class, or of several labels each from 0.5 up.
        duration: None is one frame.
        sets: None gives an event its own label alone.
        about: what it was fitted on and what it cost, as plain data.

    Raises:
        CheckpointError: if the thresholds are of another number of classes.
    """

    def __init__(
        self,
        labels: LabelSet,
        fps: float,
        temperature: Temperature | None = None,
        thresholds: Thresholds | None = None,
        duration: MinimumDuration | None = None,
        sets: ConformalLabels | None = None,
        about: Mapping[str, object] | None = None,
    ) -> None:
        self.labels, self.fps = labels, fps
        self.temperature, self.thresholds, self.sets = temperature or Temperature(), thresholds, sets
        self.frames = 1 if duration is None else duration.frames(fps)
        self.about = dict(about or {})
        if thresholds is not None and len(thresholds.enter) != len(labels.names):
            raise CheckpointError(
                f"The thresholds are of {len(thresholds.enter)} classes, and there are {len(labels.names)}.",
                "run gad-lightning calibrate again",
            )
        enter, leave = (thresholds.enter, thresholds.leave) if thresholds is not None else ((0.5,), (0.5,))
        self.enter, self.leave = (np.full(len(labels.names), part) for part in (enter, leave))
        for index in (labels.background, labels.ignore):
            if index is not None:
                self.enter[index] = self.leave[index] = math.inf

    def check(self, labels: LabelSet, task: str) -> None:
        """Refuse other classes than it was fitted for.

        Args:
            labels: of the classifier.
            task: its name.

        Raises:
            CheckpointError: naming the first class that differs.
        """
        if labels == self.labels:
            return
        mine, theirs = self.labels.names, labels.names
        pairs = zip(mine, theirs, strict=False)
        place = next((place for place, (own, other) in enumerate(pairs) if own != other), min(len(mine), len(theirs)))
        names = [repr(side[place]) if place < len(side) else "none" for side in (mine, theirs)]
        what = f"class {place} was {names[0]} and is {names[1]}" if mine != theirs else "its background is another"
        raise CheckpointError(
            f"The decisions of the task {task!r} were fitted for other classes: {what}.",
            "run gad-lightning calibrate again, for the classes of today",
        )

    def __call__(self, scores: Floats, breaks: Bools | None = None) -> Decided:
        """Decide whole videos.

        Args:
            scores: (F, C) log-probabilities in time order.
            breaks: (F,) True at the first frame of a video; by default all frames are one video.
        """
        probabilities = self.temperature(scores, self.labels.multi_label)
        on = switched(self.weighed(probabilities), self.enter, self.leave, self.frames, breaks)
        return Decided(probabilities, on, self.shown(probabilities, on))

    def weighed(self, probabilities: Floats) -> Floats:
        """What thresholds are compared with: probabilities, or without thresholds of one label 1 for the likeliest."""
        if self.thresholds is not None or self.labels.multi_label:
            return probabilities
        likeliest: Floats = (probabilities.argmax(1)[:, None] == np.arange(probabilities.shape[1])).astype(np.float64)
        return likeliest

    def events(self, decided: Decided, breaks: Bools | None = None) -> list[Event]:
        """Cut what was decided of one video into events, in the order of their starts.

        Args:
            decided: of one video.
            breaks: (F,) True where an event ends although its class goes on.
        """
        given = None if breaks is None else torch.from_numpy(breaks)
        return [
            Event(
                start=start,
                end=end,
                label=label,
                score=float(decided.probabilities[start:end, label].cumsum()[-1] / (end - start)),
                set=self.set_of(decided.probabilities[start], label),
            )
            for label, start, end in cut_each(torch.from_numpy(decided.on), breaks=given)
        ]

    def set_of(self, probabilities: Floats, label: int) -> tuple[int, ...]:
        """The set of a frame, (C,) probabilities, at which an event of a label begins."""
        if self.sets is None:
            return (label,)
        return tuple(np.flatnonzero(self.sets(probabilities[None])[0]).tolist())

    def shown(self, probabilities: Floats, on: Bools) -> Bools:
        """The labels shown of frames with some classes on: (F, C)."""
        if not self.labels.multi_label:
            return self._likeliest(probabilities, on)
        shown = on.copy()
        if self.labels.background is not None:
            shown[:, self.labels.background] = ~on.any(1)
        return shown

    def _likeliest(self, probabilities: Floats, among: Bools) -> Bools:
        """The likeliest class among some, one a frame; where there is none the background, or the likeliest of all."""
        best = np.where(among, probabilities, -1.0).argmax(1)
        other = probabilities.argmax(1) if self.labels.background is None else self.labels.background
        best = np.where(among.any(1), best, other)
        shown: Bools = best[:, None] == np.arange(probabilities.shape[1])
        return shown

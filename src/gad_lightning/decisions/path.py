"""The one way from scores to events, for whole videos and live streams: temperature, thresholds, durations, sets."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch

from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.observed import Bools, Floats, Ints
from gad_lightning.decisions.steady import Steadiness, SteadyLabels
from gad_lightning.decisions.switches import MinimumDuration, switched
from gad_lightning.decisions.temperature import Reliability, Temperature
from gad_lightning.decisions.thresholds import COST_HEADER, ClassCost, Thresholds
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.parts import Part
from gad_lightning.schema import LabelSet
from gad_lightning.segments import cut_each
from gad_lightning.types import THRESHOLD


class Event(NamedTuple):
    """One action that was noticed, half-open in frames."""

    start: int  # frame of the alarm
    end: int
    label: int
    score: float  # mean calibrated probability of the label over the event, in [0, 1]
    set: tuple[int, ...]  # classes that the first frame may show, at the stated error; the label alone without sets


class Decided(NamedTuple):
    """What was decided of F frames: C' is C, or C + 1 where actions can be of no class; "unknown" is the last one then.

    Where it is unknown its probability is that of the likeliest class.
    """

    probabilities: Floats  # (F, C') calibrated
    on: Bools  # (F, C') classes whose event goes on; the background never is
    chosen: Bools  # (F, C') the label shown, or the labels where several can be true


class FittedOn(NamedTuple):
    """What decisions were fitted on, and what they do there."""

    videos: int
    hours: float  # of known truth
    before: Reliability  # of the classifier as it is
    after: Reliability  # under the temperature
    costs: tuple[ClassCost, ...] = ()  # a row a class
    steadiness: Steadiness | None = None  # of steady labels

    def __str__(self) -> str:
        """A table for people."""
        before, after = self.before, self.after
        rows = [COST_HEADER, *(row.cells() for row in self.costs)] if self.costs else []
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            f"{self.videos} validation videos, {self.hours:.3g} hours",
            f"log loss {before.log_loss:.4g}, with the temperature {after.log_loss:.4g}; calibration error "
            f"{before.error:.4g}, then {after.error:.4g}",
            *("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows),
            *([] if self.steadiness is None else [str(self.steadiness)]),
        ]
        lost = [row.name for row in self.costs if row.recall == 0]
        lines += [f"{name}: no action of it is found" for name in lost]
        pooled = [row for row in self.costs if row.pooled]
        lines += [f"{row.name}: too few actions, fitted together with {', '.join(row.pooled)}" for row in pooled]
        return "\n".join(lines)


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
        fitted_on: what it was fitted on and what it does there; None if it was made by hand.
        steady: chooses the label of every frame in place of thresholds; None takes the likeliest class.

    Raises:
        CheckpointError: if the thresholds are of another number of classes.
        SettingError: if there are both thresholds and steady labels.
    """

    def __init__(
        self,
        labels: LabelSet,
        fps: float,
        temperature: Temperature | None = None,
        thresholds: Thresholds | None = None,
        duration: MinimumDuration | None = None,
        sets: ConformalLabels | None = None,
        fitted_on: FittedOn | None = None,
        steady: SteadyLabels | None = None,
    ) -> None:
        self.labels, self.fps, self.steady = labels, fps, steady
        self.temperature, self.thresholds, self.sets = temperature or Temperature(), thresholds, sets
        self.frames = 1 if duration is None else duration.frames(fps)
        self.fitted_on = fitted_on
        if thresholds is not None and len(thresholds.enter) != len(labels.names):
            raise CheckpointError(
                f"The thresholds are of {len(thresholds.enter)} classes, and there are {len(labels.names)}.",
                "run gad-lightning calibrate again",
            )
        if thresholds is not None and steady is not None:
            raise SettingError("Thresholds and steady labels both say which classes are on.", "leave one of them out")
        enter, leave = (thresholds.enter, thresholds.leave) if thresholds is not None else ([THRESHOLD], [THRESHOLD])
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

    def __call__(self, scores: Floats, breaks: Bools | None = None, unknown: Bools | None = None) -> Decided:
        """Decide whole videos.

        Args:
            scores: (F, C) log-probabilities in time order.
            breaks: (F,) True at the first frame of a video; by default all frames are one video.
            unknown: (F,) frames that show none of the classes, by a rejection score; they count for no class, and go on
                and off as one of their own.
        """
        probabilities = self.probabilities(scores, unknown)
        weighed = self.weighed(probabilities, self.chosen(probabilities, breaks), unknown)
        on = switched(weighed, *self.pair(weighed.shape[1]), self.frames, breaks)
        return Decided(probabilities, on, self.shown(probabilities, on))

    def probabilities(self, scores: Floats, unknown: Bools | None) -> Floats:
        """Calibrated probabilities, (F, C) or with the column of what is unknown."""
        found = self.temperature(scores, self.labels.multi_label)
        return found if unknown is None else np.concatenate([found, found.max(1, keepdims=True)], 1)

    def chosen(self, probabilities: Floats, breaks: Bools | None = None) -> Ints | None:
        """The label of every frame of whole videos, (F,); None where thresholds are compared with probabilities."""
        if self.thresholds is not None or self.labels.multi_label:
            return None
        own = probabilities[:, : len(self.labels.names)]
        if self.steady is None:
            likeliest: Ints = own.argmax(1)
            return likeliest
        begins = np.zeros(len(own), dtype=bool) if breaks is None else breaks.copy()
        begins[:1] = True
        return self.steady.labels(own, begins)

    def weighed(self, probabilities: Floats, chosen: Ints | None, unknown: Bools | None) -> Floats:
        """What thresholds are compared with: probabilities, or 1 for the label that was chosen."""
        own = probabilities[:, : len(self.labels.names)]
        if chosen is not None:
            own = (chosen[:, None] == np.arange(own.shape[1])).astype(np.float64)
        if unknown is None:
            return own
        columns: Floats = np.concatenate([own * ~unknown[:, None], unknown[:, None].astype(np.float64)], 1)
        return columns

    def pair(self, columns: int) -> tuple[Floats, Floats]:
        """Thresholds (C',) by which each column goes on and off."""
        more = np.full(columns - len(self.enter), THRESHOLD)
        return np.concatenate([self.enter, more]), np.concatenate([self.leave, more])

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
        return tuple(np.flatnonzero(self.sets(probabilities[None, : len(self.labels.names)])[0]).tolist())

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
        other = (
            probabilities[:, : len(self.labels.names)].argmax(1)
            if self.labels.background is None
            else self.labels.background
        )
        best = np.where(among.any(1), best, other)
        shown: Bools = best[:, None] == np.arange(probabilities.shape[1])
        return shown

"""Thresholds of every class: stated by hand, or the smallest ones that keep a stated rate of false alarms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from gad_lightning.decisions.counting import Cost, cost_of, rate_bound, track_of, video_draws
from gad_lightning.decisions.observed import Floats, Ints, Observed, check_share
from gad_lightning.errors import DataError, SettingError
from gad_lightning.parts import Part

NEVER = 2.0
"""A threshold that no probability reaches."""
GRID = tuple((1 / (1 + np.exp(-np.linspace(9, -9, 73)))).round(6).tolist())
"""Thresholds that are tried, from the strictest down; fixed, so that no look at the data is lost on their choice."""
FRACTIONS = (1.0, 0.8, 0.6, 0.4, 0.2)
"""Of ``enter``, what is tried as ``leave``."""
FEWEST_VIDEOS = 5
COST_HEADER = ("class", "from", "until", "actions", "recall", "right while on", "delay s", "false alarms/h", "bound")


class Thresholds(Part):
    """When each class goes on and off.

    Args:
        enter: (C,) probability from which a class goes on, in the order of the classes; 2 is never. The background's is
            not used.
        leave: (C,) probability below which it goes off; ``enter`` if None.

    Raises:
        SettingError: if a threshold lies outside its range.
    """

    def __init__(self, enter: Sequence[float], leave: Sequence[float] | None = None) -> None:
        self.enter = tuple(map(float, enter))
        self.leave = self.enter if leave is None else tuple(map(float, leave))
        pairs = list(zip(self.enter, self.leave, strict=False))
        wrong = [pair for pair in pairs if not 0 <= pair[1] <= pair[0] <= NEVER]
        if wrong or len(self.enter) != len(self.leave):
            shown = wrong[0] if wrong else f"{len(self.enter)} of one and {len(self.leave)} of the other"
            raise SettingError(
                f"A class goes on at `enter` and off below `leave`, which is no larger; got {shown}.",
                "give every class both, in [0, 1]; 2 is never",
            )


class ClassCost(NamedTuple):
    """What was chosen for a class, and what it costs on the videos it was fitted on."""

    name: str
    enter: float
    leave: float
    segments: int  # true ones
    recall: float | None  # share of them found; None where there is none
    delay_seconds: float | None  # mean of those found; None where none is
    false_alarms_per_hour: float
    bound: float  # upper confidence bound of that rate
    pooled: tuple[str, ...] = ()  # classes that it was fitted together with, as it has too few segments
    precision: float | None = None  # share of the frames while it is on that show it; None where it is never on

    def cells(self) -> tuple[str, ...]:
        """A row of the table of costs."""
        numbers = (self.recall, self.precision, self.delay_seconds, self.false_alarms_per_hour, self.bound)
        thresholds = ("never" if value >= NEVER else f"{value:.4g}" for value in (self.enter, self.leave))
        shown = ("-" if value is None else f"{value:.3g}" for value in numbers)
        return (self.name, *thresholds, str(self.segments), *shown)


def class_cost(observed: Observed, label: int, pair: tuple[float, float], cost: Cost, bound: float) -> ClassCost:
    """What thresholds cost, as it is told.

    Args:
        observed: what they were fitted on.
        label: the class.
        pair: ``enter`` and ``leave``.
        cost: what was counted.
        bound: upper confidence bound of the false alarms an hour.
    """
    recall, delay = cost.recall, cost.delay_seconds(observed.fps)
    rate = float(cost.alarms.sum() / observed.hours.sum())
    return ClassCost(
        name=observed.labels.names[label],
        enter=pair[0],
        leave=pair[1],
        segments=int(cost.segments.sum()),
        recall=None if math.isnan(recall) else round(recall, 4),
        delay_seconds=None if math.isnan(delay) else round(delay, 4),
        false_alarms_per_hour=round(rate, 4),
        bound=round(bound, 4),
        precision=None if math.isnan(cost.precision) else round(cost.precision, 4),
    )


class AlarmThresholds(Thresholds):
    """Per class the smallest ``enter`` whose false alarms an hour stay below a rate, and a ``leave`` that fits it.

    A false alarm is an event none of whose frames has the event's class as its truth, and hours are hours of video
    with known truth, as in :class:`~gad_lightning.FalseAlarmsPerHour`; each class has the rate for itself. Thresholds
    are tried from the strictest down, and the first one whose upper bound is above the rate ends the search, so that
    the bound holds for the one that is chosen (fixed-sequence testing; Angelopoulos et al., Learn then Test,
    arXiv 2110.01052). The bound is ``rate_bound`` in
    ``gad_lightning/decisions/counting.py``; :class:`~gad_lightning.RiskControl` needs none.

    ``leave`` is the fraction of ``enter`` with the fewest wrong seconds: of the class while it is off, and of right
    events that go on beyond it. A lower ``leave`` only joins events, so there are never more false alarms.

    A class with fewer than ``fewest`` true segments is fitted for itself and together with its neighbors, the classes
    that get most probability where it is true, and takes the stricter threshold of both.

    Args:
        false_alarms_per_hour: rate of each class, above 0.
        confidence: that the rate is kept, in (0, 1).
        fewest: true segments that a class needs to stand alone.
        absent: what a class does that never occurs: ``"refuse"``, or ``"pool"`` it with all others.
        enter: as fitted; None before.
        leave: as fitted.

    Raises:
        SettingError: if a setting lies outside its range.
    """

    def __init__(
        self,
        false_alarms_per_hour: float = 1.0,
        confidence: float = 0.95,
        fewest: int = 10,
        absent: Literal["refuse", "pool"] = "refuse",
        enter: Sequence[float] | None = None,
        leave: Sequence[float] | None = None,
    ) -> None:
        super().__init__(enter or (), leave or enter or ())
        if not 0 < false_alarms_per_hour < math.inf:
            raise SettingError(
                f"false_alarms_per_hour must be above 0, got {false_alarms_per_hour}: no number of hours shows that "
                "there is never one.",
                "state a rate such as 1, or leave the thresholds at 2, which is never",
            )
        if absent not in ("refuse", "pool"):
            raise SettingError(f"absent is {absent!r}.", "set it to 'refuse' or 'pool'")
        self.rate, self.fewest, self.absent = false_alarms_per_hour, fewest, absent
        self.confidence = check_share(confidence, "confidence")

    def fit(self, observed: Observed, frames: int = 1) -> tuple[AlarmThresholds, list[ClassCost]]:
        """Choose the thresholds of every class.

        Args:
            observed: with calibrated probabilities.
            frames: for which a class must last to go on or off.

        Returns:
            The thresholds, and what they cost, a row a class.

        Raises:
            DataError: if the videos are too few or too short for the rate, or a class never occurs.
        """
        self._check(observed)
        search = _Search(self, observed, frames)
        rows = [search.row_of(label) for label in observed.actions]
        enter, leave = ([NEVER] * len(observed.labels.names) for _ in range(2))
        for label, row in zip(observed.actions, rows, strict=True):
            enter[label], leave[label] = row.enter, row.leave
        return AlarmThresholds(self.rate, self.confidence, self.fewest, self.absent, enter, leave), rows

    def _check(self, observed: Observed) -> None:
        """Refuse videos that cannot tell.

        Raises:
            DataError: naming what would be enough.
        """
        hours, needed = float(observed.hours.sum()), -math.log(1 - self.confidence) / self.rate
        if observed.num_videos < FEWEST_VIDEOS:
            raise DataError(
                f"Thresholds of a stated rate need {FEWEST_VIDEOS} videos or more, got {observed.num_videos}.",
                "validate on more videos: raise data.val_fraction, or name more of them in the split",
            )
        if hours < needed:
            raise DataError(
                f"A rate of {self.rate:g} false alarms an hour needs {needed:.3g} hours of labeled video at "
                f"confidence {self.confidence:g}, even without one false alarm; got {hours:.3g}.",
                f"validate on more video, or state a false_alarms_per_hour of {_above(needed * self.rate / hours)} "
                "or more",
            )
        names = observed.labels.names
        missing = [names[label] for label in observed.actions if not (observed.truth[:, label] == 1).any()]
        if missing and self.absent == "refuse":
            raise DataError(
                f"These classes never occur in the videos: {', '.join(map(repr, missing))}.",
                "add a video with each, or set absent='pool' to give them the threshold of all classes together",
            )


class _Search:
    """Looks for the thresholds of one class after another."""

    def __init__(self, wanted: AlarmThresholds, observed: Observed, frames: int) -> None:
        self.wanted, self.observed, self.frames = wanted, observed, frames
        self.hours, self.draws = observed.hours, video_draws(observed.num_videos)
        self.tracks = {label: track_of(observed, label) for label in observed.actions}
        self.counted: dict[tuple[int, float, float], Cost] = {}  # classes are counted for themselves and in pools
        self.segments = {
            label: int(cost_of(self.tracks[label], NEVER, NEVER, 1).segments.sum()) for label in self.tracks
        }

    def row_of(self, label: int) -> ClassCost:
        """The thresholds of a class and their cost."""
        pool = self.pool_of(label)
        enter = max(self.smallest([label]), self.smallest([label, *pool]) if pool else 0.0)
        leave = self.best_leave([label, *pool], enter)
        names = tuple(self.observed.labels.names[other] for other in pool)
        (cost,) = self.costs([label], enter, leave)
        return class_cost(self.observed, label, (enter, leave), cost, self.bound(cost.alarms, 1))._replace(pooled=names)

    def pool_of(self, label: int) -> list[int]:
        """Neighbors of a class with few segments: those with most probability where it is true, until they suffice."""
        if self.segments[label] >= self.wanted.fewest:
            return []
        there = self.observed.truth[:, label] == 1
        others = [other for other in self.tracks if other != label]
        if not there.any():
            return others
        near = sorted(others, key=lambda other: -float(self.observed.scores[there, other].mean()))
        pool: list[int] = []
        for other in near:
            if sum(self.segments[one] for one in [label, *pool]) >= self.wanted.fewest:
                break
            pool.append(other)
        return pool

    def smallest(self, labels: Sequence[int]) -> float:
        """The smallest threshold, common to some classes, whose bound and all stricter ones' keep the rate."""
        enter = NEVER
        for tried in GRID:
            alarms = np.stack([cost.alarms for cost in self.costs(labels, tried, tried)]).sum(0)
            if self.bound(alarms, len(labels)) > self.wanted.rate:
                break
            enter = tried
        return enter

    def best_leave(self, labels: Sequence[int], enter: float) -> float:
        """The ``leave`` with the fewest wrong frames; the largest one of several."""
        if enter >= NEVER:
            return NEVER
        tried = [round(enter * fraction, 6) for fraction in FRACTIONS]
        return min(tried, key=lambda leave: sum(cost.wrong for cost in self.costs(labels, enter, leave)))

    def costs(self, labels: Sequence[int], enter: float, leave: float) -> list[Cost]:
        """Costs of common thresholds of some classes."""
        for label in labels:
            if (label, enter, leave) not in self.counted:
                self.counted[label, enter, leave] = cost_of(self.tracks[label], enter, leave, self.frames)
        return [self.counted[label, enter, leave] for label in labels]

    def bound(self, alarms: Ints, classes: int) -> float:
        """Upper bound of a class's rate, from the alarms of several."""
        hours: Floats = self.hours * classes
        return rate_bound(alarms, hours, self.draws, self.wanted.confidence)


def _above(value: float) -> float:
    """A number of two digits, not below ``value``.

    Example:
        >>> _above(14.98), _above(0.1234)
        (15.0, 0.13)
    """
    size = 10.0 ** (math.floor(math.log10(value)) - 1)
    return round(math.ceil(value / size - 1e-9) * size, 12)

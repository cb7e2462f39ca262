"""Labels that do not flicker: a change of label must be worth its cost."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch

from gad_lightning.decisions.observed import Bools, Floats, Ints, Observed
from gad_lightning.errors import SettingError
from gad_lightning.metrics.functional.segment_f1 import segment_f1
from gad_lightning.parts import Part
from gad_lightning.schema import LabelSet

SMALLEST = 1e-12
"""A probability of less counts as this one."""
COSTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Costs that are tried, in nats."""


class Steadiness(NamedTuple):
    """What steady labels do on the videos that they were fitted on: before is the likeliest class of every frame."""

    chosen: str  # what was chosen
    segment_f1_before: float
    segment_f1: float
    accuracy_before: float
    accuracy: float

    def __str__(self) -> str:
        """A line for people."""
        return (
            f"{self.chosen}: segment-F1 {self.segment_f1_before:.4g}, with steady labels {self.segment_f1:.4g}; "
            f"frame accuracy {self.accuracy_before:.4g}, then {self.accuracy:.4g}"
        )


class SteadyLabels(Part):
    """One label a frame, chosen with a look at the frames around it; a subclass says how.

    ``looks_ahead`` tells that it needs later frames too, so that a live stream cannot have it.
    """

    looks_ahead: ClassVar[bool] = False

    @abstractmethod
    def candidates(self, labels: LabelSet, timelines: Sequence[Ints]) -> Sequence[SteadyLabels]:
        """What is to be tried on validation; itself alone where nothing is open.

        Args:
            labels: the classes, one label a frame.
            timelines: (F,) classes of the frames of every training video; below 0 where none is known.

        Raises:
            DataError: if nothing can be learned from the videos.
        """

    @abstractmethod
    def labels(self, probabilities: Floats, breaks: Bools) -> Ints:
        """The label of every frame of whole videos, (F,).

        Args:
            probabilities: (F, C) calibrated.
            breaks: (F,) True at the first frame of a video.
        """

    @abstractmethod
    def told(self) -> str:
        """What was chosen, in words."""


class SwitchCost(SteadyLabels):
    """The label stays until others have been likelier by more than ``cost``, summed over frames; live as offline.

    Of every class the best sum of log-probabilities of a labeling that ends with it is kept, where each change of label
    costs ``cost`` nats; the label is the class of the best sum. So it never looks ahead, and one number a class is all
    that a stream keeps. 0 is the likeliest class of every frame. A higher cost makes fewer and longer segments, and
    each begins and ends later.

    Args:
        cost: in nats, 0 or more; None chooses it on validation among 0 to 4.

    Raises:
        SettingError: if it is below 0.

    Source: the forward pass of Viterbi's algorithm (1967) for classes of one switching probability.

    Example:
        >>> stir = np.array([[0.9, 0.1], [0.4, 0.6], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
        >>> breaks = np.array([True, False, False, False, False])
        >>> SwitchCost(1.0).labels(stir, breaks).tolist()
        [0, 0, 0, 1, 1]
    """

    def __init__(self, cost: float | None = None) -> None:
        if cost is not None and not 0 <= cost < math.inf:
            raise SettingError(f"cost of SwitchCost is 0 nats or more, got {cost}.", "1 is usual, 0 for none")
        self.cost = cost

    def candidates(self, labels: LabelSet, timelines: Sequence[Ints]) -> Sequence[SwitchCost]:
        """The costs, if it is open; the training videos are not looked at."""
        return [SwitchCost(cost) for cost in COSTS] if self.cost is None else [self]

    def told(self) -> str:
        """The cost."""
        return (
            "a switch of the label costs 0 nats, so nothing changes"
            if self.cost == 0
            else f"a switch costs {self.cost} nats"
        )

    def labels(self, probabilities: Floats, breaks: Bools) -> Ints:
        """The label of every frame."""
        standing, found = np.zeros((1, probabilities.shape[1])), np.empty(len(probabilities), dtype=np.int64)
        for row in range(len(probabilities)):
            if breaks[row]:
                standing = np.zeros_like(standing)
            standing = self.step(standing, probabilities[row : row + 1])
            found[row] = standing[0].argmax()
        return found

    def step(self, standing: Floats, probabilities: Floats) -> Floats:
        """Take the next frame of n streams; the label of each is the class that stands best.

        Args:
            standing: (n, C) what the frame before left; zeros at first.
            probabilities: (n, C) of the frame.

        Raises:
            SettingError: if the cost is not chosen yet.
        """
        if self.cost is None:
            raise SettingError("The cost of a switch is not fitted.", "run gad-lightning calibrate first, or give one")
        behind = standing - standing.max(1, keepdims=True)
        found: Floats = np.maximum(behind, -self.cost) + log_of(probabilities)
        return found


def log_of(probabilities: Floats) -> Floats:
    """Logarithms, all finite."""
    found: Floats = np.log(np.maximum(probabilities, SMALLEST))
    return found


def steadiness(observed: Observed, before: Ints, after: Ints, chosen: str) -> Steadiness:
    """What labels are worth on videos.

    Args:
        observed: the videos.
        before: (F,) the likeliest class of every frame.
        after: (F,) the label shown; the number behind the last class is "unknown".
        chosen: what was chosen, in words.
    """
    values = [
        value for labels in (before, after) for value in (segment_score(observed, labels), accuracy(observed, labels))
    ]
    first, hits_first, then, hits_then = (round(value, 4) for value in values)
    return Steadiness(chosen, first, then, hits_first, hits_then)


def truth_of(observed: Observed) -> Ints:
    """(F,) true class of every frame; -100 where it is unknown or ignored."""
    found: Ints = np.where(observed.known, (observed.truth == 1).argmax(1), -100)
    return found


def segment_score(observed: Observed, labels: Ints) -> float:
    """Segment-F1 of labels, in [0, 1]."""
    columns = (labels, truth_of(observed), observed.video, observed.frame)
    size, background = len(observed.labels.names) + 1, observed.labels.background  # and unknown
    tensors = [torch.from_numpy(np.ascontiguousarray(column)) for column in columns]
    return float(segment_f1(*tensors, num_classes=size, background=background, gaps="cut"))


def accuracy(observed: Observed, labels: Ints) -> float:
    """Share of the frames of known truth whose label is right."""
    return float((labels == truth_of(observed))[observed.known].mean())

"""The labeling of a whole video that is best by its scores and by what usually follows what, and for how long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gad_lightning.decisions.observed import Bools, Floats, Ints
from gad_lightning.decisions.steady import SteadyLabels, log_of
from gad_lightning.errors import DataError, SettingError
from gad_lightning.schema import LabelSet

STAYS, LEAVES = 5.0, 1.0
"""Frames on which a class is taken to have stayed and to have ended, beside those that were counted."""
WEIGHTS, BALANCES = (0.5, 1.0, 2.0, 4.0), (0.0, 0.5, 1.0)
"""Settings that are tried."""


class BestPath(SteadyLabels):
    """The likeliest labeling of a whole video; it looks ahead, so it is for videos and not for live streams.

    Classes are the states of a Markov chain whose transitions are counted in the training videos: how long a class
    lasts and what follows it. A frame's score is ``weight`` times the logarithm of its probability, less ``balance``
    times that of the class's share of the training frames.

    Args:
        weight: of the scores against the transitions, above 0; None chooses 0.5, 1, 2 or 4 on validation.
        balance: in [0, 1]; 0 takes probabilities as they are, 1 as if every class were equally frequent; None chooses
            0, 0.5 or 1 on validation.
        counts: (C, C) training frames of each class by the class of the next frame, as fitted; None before.

    Raises:
        SettingError: if a setting lies outside its range.

    Source: Viterbi's algorithm (1967), as speech recognizers use it with the posteriors of a network (Bourlard and
    Morgan, Connectionist Speech Recognition, 1994).
    """

    looks_ahead = True

    def __init__(
        self,
        weight: float | None = None,
        balance: float | None = None,
        counts: Sequence[Sequence[int]] | None = None,
    ) -> None:
        if weight is not None and not 0 < weight < math.inf:
            raise SettingError(f"weight of BestPath must be above 0 and finite, got {weight}.", "1 is usual")
        if balance is not None and not 0 <= balance <= 1:
            raise SettingError(f"balance of BestPath must lie in [0, 1], got {balance}.", "0.5 is usual")
        self.weight, self.balance = weight, balance
        self.counts = None if counts is None else tuple(tuple(map(int, row)) for row in counts)

    def candidates(self, labels: LabelSet, timelines: Sequence[Ints]) -> Sequence[BestPath]:
        """Count the transitions of the training videos, and combine weights and balances where they are open.

        Raises:
            DataError: if no training video has two labeled frames in a row.
        """
        if self.counts is not None:
            counts = self.counts
        else:
            found = counted(timelines, len(labels.names))
            if not found.any():
                raise DataError(
                    f"None of {len(timelines)} training videos has two labeled frames in a row.",
                    "BestPath learns what follows what; take SwitchCost",
                )
            counts = tuple(map(tuple, found.tolist()))
        weights = WEIGHTS if self.weight is None else (self.weight,)
        balances = BALANCES if self.balance is None else (self.balance,)
        return [BestPath(weight, share, counts) for weight in weights for share in balances]

    def told(self) -> str:
        """Weight and balance."""
        return f"best path, weight {self.weight:g} and balance {self.balance:g}"

    def labels(self, probabilities: Floats, breaks: Bools) -> Ints:
        """The label of every frame.

        Raises:
            SettingError: if it is not fitted.
        """
        if self.counts is None or self.weight is None or self.balance is None:
            raise SettingError("This best path is not fitted.", "run gad-lightning calibrate --by best_path first")
        counts = np.array(self.counts, dtype=np.float64)
        share = counts.sum(1) + 1
        share = np.log(share / share.sum())
        scores = self.weight * (log_of(probabilities) - self.balance * share)
        changes = _log_transitions(counts)
        starts = [*np.flatnonzero(breaks).tolist(), len(scores)]
        paths = [_best_path(scores[start:end], share, changes) for start, end in pairwise(starts)]
        return np.concatenate([np.empty(0, dtype=np.int64), *paths])


def counted(timelines: Sequence[Ints], classes: int) -> Ints:
    """Count each class by the class of the next frame, (C, C); frames of no known class are left out."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    for labels in timelines:
        known = (labels[:-1] >= 0) & (labels[1:] >= 0)
        np.add.at(counts, (labels[:-1][known], labels[1:][known]), 1)
    return counts


def _log_transitions(counts: Floats) -> Floats:
    """(C, C) log-probability of the next class; what was never seen is as likely as the class's share of all starts."""
    changes = counts * (1 - np.eye(len(counts)))
    starts = changes.sum(0) + 0.5
    changes = (changes + starts / starts.sum()) * (1 - np.eye(len(counts)))
    stay = (np.diag(counts) + STAYS) / (counts.sum(1) + STAYS + LEAVES)
    total = np.maximum(changes.sum(1, keepdims=True), np.finfo(np.float64).tiny)
    return log_of(changes / total * (1 - stay)[:, None] + np.diag(stay))


def _best_path(scores: Floats, first: Floats, changes: Floats) -> Ints:
    """The states of the highest sum: (F, C) scores -> (F,)."""
    best, came_from = first + scores[0], np.zeros(scores.shape, dtype=np.int64)
    for row in range(1, len(scores)):
        ways = best[:, None] + changes
        came_from[row] = ways.argmax(0)
        best = ways.max(0) + scores[row]
    path = np.empty(len(scores), dtype=np.int64)
    path[-1] = best.argmax()
    for row in range(len(scores) - 1, 0, -1):
        path[row - 1] = came_from[row, path[row]]
    return path

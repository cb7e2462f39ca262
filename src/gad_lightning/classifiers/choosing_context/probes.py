"""Regularized linear probes: how well one thing is told by others on videos that the probe has not seen.

A probe is a multinomial logistic regression. Each of its blocks of columns has a penalty of its own, chosen on inner
folds; a block that tells nothing there is left out, so that it costs nothing on the videos outside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
OUTER, INNER = 5, 3
"""Folds by video: outside each a probe is fitted, inside what it is fitted on its penalty is chosen."""
PENALTIES = (1.0, 0.1, 0.01, 0.001, 0.0001)
"""That are tried, the strongest first, until the loss rises. Half the squared weights, beside the mean loss."""
LEAST_GAIN = 1e-4
"""Nats of a video that a block must gain on inner folds to be kept."""
SOLVER = {"maxiter": 60, "ftol": 1e-6}
"""When L-BFGS ends."""


class Probed(NamedTuple):
    """What is told: n rows of V videos."""

    target: Ints  # (n,) 0..classes-1
    classes: int
    video: Ints  # (n,) 0..V-1

    @property
    def weight(self) -> Floats:
        """(n,) of each row: all videos count alike, and the rows of a video too."""
        counts = np.bincount(self.video)
        found: Floats = 1.0 / counts[self.video]
        return found

    def fold(self, folds: int) -> Ints:
        """(n,) fold of each row, whole videos."""
        return self.video % folds

    def picked(self, rows: NDArray[np.bool_]) -> Probed:
        """Some rows, with their videos counted anew."""
        return Probed(self.target[rows], self.classes, np.unique(self.video[rows], return_inverse=True)[1])


class Probe:
    """Weights of a fitted probe: blocks (n, d) each with a penalty, and a bias drawn to the smoothed frequencies."""

    def __init__(self, of: Probed, blocks: Sequence[Floats], penalties: Sequence[float]) -> None:
        self.of, self.joined = of, np.concatenate([np.zeros((len(of.target), 0)), *blocks], axis=1)
        sizes = [block.shape[1] for block in blocks]
        self.penalty = np.repeat(np.asarray(penalties, dtype=np.float64), sizes)[:, None]
        self.weight = of.weight / of.weight.sum()
        self.truth = np.eye(of.classes)[of.target]
        counts = of.weight @ self.truth
        self.usual = np.log((counts + 1 / of.classes) / (counts.sum() + 1))  # one more video, of all classes alike
        self.start = np.concatenate([np.zeros((self.joined.shape[1], of.classes)), self.usual[None]])

    def fit(self, start: Floats | None = None) -> Floats:
        """Weights (d + 1, C), the bias last.

        Args:
            start: weights to begin from, perhaps of fewer blocks.
        """
        if not self.joined.shape[1]:
            return self.start
        begin = self.start if start is None else start
        more = np.zeros((len(self.start) - len(begin), self.of.classes))
        begin = np.concatenate([begin[:-1], more, begin[-1:]])
        found = optimize.minimize(self._loss, begin.ravel(), jac=True, method="L-BFGS-B", options=SOLVER)
        weights: Floats = found.x.reshape(self.start.shape)
        return weights

    def _loss(self, flat: Floats) -> tuple[float, Floats]:
        """Mean loss with the penalties, and its gradient."""
        weights = flat.reshape(self.start.shape)
        scores = log_probabilities(self.joined, weights)
        off = weights - self.start
        pull = np.concatenate([self.penalty, [[self.penalty.min()]]]) * off
        error = self.weight[:, None] * (np.exp(scores) - self.truth)
        gradient = np.concatenate([self.joined.T @ error, error.sum(0)[None]]) + pull
        loss = -(self.weight * scores[np.arange(len(scores)), self.of.target]).sum() + (pull * off).sum() / 2
        return float(loss), gradient.ravel()


def log_probabilities(columns: Floats, weights: Floats) -> Floats:
    """Log-probabilities (n, C) of columns (n, d) by weights (d + 1, C)."""
    logits = columns @ weights[:-1] + weights[-1]
    logits -= logits.max(1, keepdims=True)
    found: Floats = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return found


def _losses(of: Probed, columns: Floats, weights: Floats) -> Floats:
    """Loss of each row in nats: (n,)."""
    found: Floats = -log_probabilities(columns, weights)[np.arange(len(of.target)), of.target]
    return found


def _inner_loss(of: Probed, blocks: Sequence[Floats], penalties: Sequence[float], starts: dict[int, Floats]) -> float:
    """Loss of all videos on inner folds; ``starts`` keeps the weights of each fold for the next penalty."""
    fold, total = of.fold(INNER), 0.0
    columns = np.concatenate([np.zeros((len(of.target), 0)), *blocks], axis=1)
    for number in range(INNER):
        inside = fold != number
        probe = Probe(of.picked(inside), [block[inside] for block in blocks], penalties)
        weights = starts[number] = probe.fit(starts.get(number))
        outside = of.picked(~inside)
        total += float((outside.weight * _losses(outside, columns[~inside], weights)).sum())
    return total


def chosen_penalty(of: Probed, kept: Sequence[Floats], penalties: Sequence[float], block: Floats) -> float:
    """The penalty of one more block with the least loss on inner folds; infinite where the block only harms.

    Args:
        of: rows to choose on.
        kept: blocks (n, d) that are there already.
        penalties: theirs.
        block: (n, d) the further one.
    """
    starts: dict[int, Floats] = {}
    worth = LEAST_GAIN * (int(of.video.max()) + 1)
    best, least, before = math.inf, _inner_loss(of, kept, penalties, starts) - worth, math.inf
    for penalty in PENALTIES:
        loss = _inner_loss(of, [*kept, block], [*penalties, penalty], starts)
        if loss < least:
            best, least = penalty, loss
        if loss > before:
            break
        before = loss
    return best


def penalties_of_first(of: Probed, block: Floats) -> tuple[float, ...]:
    """The penalty of a first block (n, d) that is chosen inside each outer fold."""
    fold = of.fold(OUTER)
    return tuple(chosen_penalty(of.picked(fold != k), [], [], block[fold != k]) for k in range(OUTER))


def held_out_losses(of: Probed, blocks: Sequence[Floats], first: Sequence[float] | None = None) -> Floats:
    """Mean loss of each video in nats after 0, 1, ... blocks, by probes that have not seen it: (blocks + 1, V).

    The penalties of the first blocks are chosen first and then stay, so that a further block is judged by what it adds.

    Args:
        of: rows in any order.
        blocks: (n, d) each, in the order in which they are told.
        first: :func:`penalties_of_first` of the first block, where they are known.
    """
    found = np.zeros((len(blocks) + 1, int(of.video.max()) + 1))
    for number in range(OUTER):
        inside = of.fold(OUTER) != number
        training, rest = of.picked(inside), Probed(of.target[~inside], of.classes, of.video[~inside])
        kept: list[Floats] = []
        penalties: list[float] = []
        outside: Floats = np.zeros(found.shape[1])
        weights: Floats | None = None
        for count in range(len(blocks) + 1):
            if count:
                block, shown = blocks[count - 1], [block[inside] for block in kept]
                given = first[number] if first is not None and count == 1 else None
                penalty = given if given is not None else chosen_penalty(training, shown, penalties, block[inside])
                if math.isinf(penalty):
                    found[count] += outside
                    continue
                kept, penalties = [*kept, block], [*penalties, penalty]
            weights = Probe(training, [block[inside] for block in kept], penalties).fit(weights)
            columns = np.concatenate([np.zeros((len(inside), 0)), *kept], axis=1)[~inside]
            losses = of.weight[~inside] * _losses(rest, columns, weights)
            outside = np.bincount(rest.video, losses, found.shape[1]).astype(np.float64)
            found[count] += outside
    return found

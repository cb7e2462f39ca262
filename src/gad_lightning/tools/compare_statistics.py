"""Intervals and tests for compared runs: a bootstrap over test videos and seeds. Pure functions of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Value = Callable[[FloatArray], FloatArray]
"""From summed counts (..., K) to scores (...)."""
Verdict = Literal["holds", "does not", "undecided"]
LEVEL = 0.95
"""Of every interval."""


class Weights(NamedTuple):
    """How often each video and each seed was drawn in B resamples."""

    videos: FloatArray  # (B, V), rows sum to V
    seeds: FloatArray  # (B, S), rows sum to S


class Difference(NamedTuple):
    """A score of one variant minus that of another, over the same seeds and videos."""

    value: float
    low: float  # of the 95 % interval
    high: float
    p: float  # two-sided, of no difference
    p_equivalent: float  # of a difference of the margin or more, either way
    num_seeds: int
    num_videos: int
    seeds_needed: int  # for a half-width of half a point of the seeds' part of the interval
    half_width_of_videos: float  # what is left of the interval with any number of seeds


def draw_weights(num_videos: int, num_seeds: int, resamples: int, seed: int = 0) -> Weights:
    """Draw videos and seeds with replacement, each independently of the other.

    Example:
        >>> weights = draw_weights(num_videos=4, num_seeds=3, resamples=5)
        >>> weights.videos.shape, weights.seeds.sum(1).tolist()
        ((5, 4), [3.0, 3.0, 3.0, 3.0, 3.0])
    """
    rng = np.random.default_rng(seed)
    drawn = (rng.multinomial(size, np.full(size, 1 / size), resamples) for size in (num_videos, num_seeds))
    return Weights(*(draws.astype(np.float64) for draws in drawn))


def resampled(counts: FloatArray, value: Value, weights: Weights) -> FloatArray:
    """Mean score over the drawn seeds, each computed anew from the drawn videos: (S, V, K) -> (B,).

    Micro scores are functions of counts that add up over videos, so a resample is a weighted sum, not an approximation.
    """
    scores = value(np.einsum("bv,svk->bsk", weights.videos, counts))
    mean: FloatArray = (scores * weights.seeds).sum(1) / weights.seeds.sum(1)
    return mean


def compare(
    first: FloatArray, second: FloatArray, value: Value, *, margin: float, resamples: int = 2000, target: float = 0.005
) -> Difference:
    """Score of ``first`` minus that of ``second``, paired by seed and by video.

    Args:
        first: (S, V, K) counts; seed s and video v are the same in ``second``.
        second: (S, V, K).
        value: turns summed counts into scores.
        margin: least difference that matters, above 0.
        resamples: B.
        target: half-width that ``seeds_needed`` is for.

    Example:
        >>> right = np.array([[[8.0, 10.0], [9.0, 10.0]]])
        >>> found = compare(right, right - [2, 0], lambda counts: counts[..., 0] / counts[..., 1], margin=0.01)
        >>> round(found.value, 3), round(found.low, 3), found.p < 0.01
        (0.2, 0.2, True)
    """
    seeds, videos, _ = first.shape
    by_seed = value(first.sum(1)) - value(second.sum(1))
    weights = draw_weights(videos, seeds, resamples)
    draws = resampled(first, value, weights) - resampled(second, value, weights)
    fixed = weights._replace(seeds=np.ones_like(weights.seeds))
    of_videos = resampled(first, value, fixed) - resampled(second, value, fixed)
    low, high = interval(draws)
    return Difference(
        float(by_seed.mean()),
        low,
        high,
        p_of_no_difference(draws),
        p_of_no_equivalence(draws, margin),
        seeds,
        videos,
        seeds_for(target, by_seed),
        float(np.subtract(*interval(of_videos)[::-1])) / 2,
    )


def interval(draws: FloatArray, level: float = LEVEL) -> tuple[float, float]:
    """Percentile interval."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def p_of_no_difference(draws: FloatArray) -> float:
    """Twice the share of draws on the rarer side of 0; never 0, as there are finitely many draws.

    Example:
        >>> p_of_no_difference(np.linspace(-1, 1, 999))
        1.0
        >>> p_of_no_difference(np.linspace(0.1, 1, 999))
        0.002
    """
    rarer = min((draws <= 0).sum(), (draws >= 0).sum())
    return min(1.0, 2 * (1 + int(rarer)) / (1 + len(draws)))


def p_of_no_equivalence(draws: FloatArray, margin: float) -> float:
    """Two one-sided tests: the larger share of draws beyond either end of ``(-margin, margin)``.

    Example:
        >>> p_of_no_equivalence(np.linspace(-0.5, 0.5, 999), margin=1.0)
        0.001
    """
    beyond = max((draws <= -margin).sum(), (draws >= margin).sum())
    return (1 + int(beyond)) / (1 + len(draws))


def seeds_for(half_width: float, by_seed: FloatArray) -> int:
    """Seeds for an interval of the mean that is ``half_width`` to either side, as far as seeds go; at least 2.

    Example:
        >>> seeds_for(0.005, np.array([0.01, 0.02, 0.03]))
        16
    """
    if len(by_seed) < 2:
        return 2
    return max(2, math.ceil((1.96 * float(by_seed.std(ddof=1)) / half_width) ** 2))


def holm(p: Mapping[Any, float]) -> dict[Any, float]:
    """Holm's correction: the smallest p is multiplied by the number of tests, the next by one less, and so on.

    Example:
        >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
        {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    adjusted: dict[Any, float] = {}
    largest = 0.0
    for rank, (name, value) in enumerate(sorted(p.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, value * (len(p) - rank)))
        adjusted[name] = largest
    return adjusted


def verdict_of_more(value: float, p: float, p_equivalent: float, alpha: float = 0.05) -> Verdict:
    """Verdict on "the first is better": it does not hold if the second is, or if no difference that matters is left.

    Args:
        value: first minus second.
        p: two-sided, corrected for the number of tests.
        p_equivalent: see :func:`p_of_no_equivalence`, corrected too.
        alpha: level of the verdict.

    Example:
        >>> verdict_of_more(0.03, 0.01, 1.0), verdict_of_more(-0.03, 0.01, 1.0), verdict_of_more(0.03, 0.2, 1.0)
        ('holds', 'does not', 'undecided')
    """
    if p < alpha and value > 0:
        return "holds"
    return "does not" if p < alpha or p_equivalent < alpha else "undecided"


def verdict_of_same(value: float, p: float, p_equivalent: float, margin: float, alpha: float = 0.05) -> Verdict:
    """Verdict on "the two are the same": it does not hold if they differ, and by the margin or more.

    Args:
        value: first minus second.
        p: two-sided, corrected for the number of tests.
        p_equivalent: see :func:`p_of_no_equivalence`, corrected too.
        margin: least difference that matters.
        alpha: level of the verdict.

    Example:
        >>> verdict_of_same(0.001, 0.5, 0.01, margin=0.01), verdict_of_same(0.1, 0.01, 1.0, margin=0.01)
        ('holds', 'does not')
    """
    if p_equivalent < alpha:
        return "holds"
    return "does not" if p < alpha and abs(value) >= margin else "undecided"


def joint_verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """A claim of several parts holds if all of them do, and does not if one of them does not.

    Example:
        >>> joint_verdict(["holds", "undecided"]), joint_verdict(["does not", "undecided"])
        ('undecided', 'does not')
    """
    if "does not" in verdicts:
        return "does not"
    return "holds" if verdicts and set(verdicts) == {"holds"} else "undecided"


def mean_and_error(values: FloatArray) -> tuple[float, float]:
    """Mean over seeds and its standard error, ``nan`` for one seed.

    Example:
        >>> mean_and_error(np.array([1.0, 3.0]))
        (2.0, 1.0)
    """
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(values.mean()), error

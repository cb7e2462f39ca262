"""Intervals and tests for compared runs, over test videos and seeds. Pure functions of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

FloatArray = NDArray[np.float64]
Value = Callable[[FloatArray], FloatArray]
"""From summed counts (..., K) to scores (...)."""
LEVEL = 0.95
"""Of every interval."""
HALF_WIDTH = 0.005
"""That ``seeds_needed`` is for."""
TINY = 1e-12
"""Scale of a difference that is the same for all seeds and videos."""
SHARE_OF_ERRORS = 0.1
"""No difference of a larger share of the errors is called the same."""


class Paired(NamedTuple):
    """Two variants over the same seeds and test videos: all that an interval and its tests are made of."""

    by_seed: FloatArray  # (S,) first minus second, over all test videos
    second: float  # mean score of the second
    half_width_of_videos: float  # of a bootstrap's 95 % interval of the mean, over the videos alone
    num_videos: int  # V; of people or places, where several videos are of one


class Prior(NamedTuple):
    """How much seeds differ in comparisons of this kind: a scaled inverse chi-squared distribution of the variance."""

    variance: float  # of the difference of one seed
    freedom: float  # degrees of freedom that it counts for; 0 if nothing is known


class Difference(NamedTuple):
    """A score of one variant minus that of another, over the same seeds and videos."""

    value: float
    low: float  # of the 95 % interval
    high: float
    p: float  # two-sided, of no difference
    p_equivalent: float  # of a difference of the margin or more, either way
    margin: float  # least difference that matters
    num_seeds: int
    num_videos: int
    seeds_needed: int  # for a half-width of half a point of the seeds' part of the interval
    half_width_of_videos: float  # what is left of the interval with any number of seeds


def _resampled(counts: FloatArray, value: Value, drawn: FloatArray) -> FloatArray:
    """Mean score of all seeds, each computed anew from the drawn videos: (S, V, K) and (B, V) -> (B,).

    Micro scores are functions of counts that add up over videos, so a resample is a weighted sum, not an approximation.
    """
    mean: FloatArray = value(np.einsum("bv,svk->bsk", drawn, counts)).mean(1)
    return mean


def pair(first: FloatArray, second: FloatArray, value: Value, resamples: int = 2000) -> Paired:
    """Pair the counts of two variants by seed and by video.

    Args:
        first: (S, V, K) counts; seed s and video v are the same in ``second``.
        second: (S, V, K).
        value: turns summed counts into scores.
        resamples: B, of the test videos.
    """
    videos = first.shape[1]
    ours, theirs = value(first.sum(1)), value(second.sum(1))
    drawn = np.random.default_rng(0).multinomial(videos, np.full(videos, 1 / videos), resamples).astype(np.float64)
    draws = _resampled(first, value, drawn) - _resampled(second, value, drawn)
    low, high = np.nanquantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])  # nan: none of the drawn videos is scored
    return Paired(ours - theirs, float(theirs.mean()), float(high - low) / 2, videos)


def compare(first: FloatArray, second: FloatArray, value: Value, *, margin: float, resamples: int = 2000) -> Difference:
    """Score of ``first`` minus that of ``second``, paired by seed and by video; see :func:`pair`.

    Example:
        >>> right = np.array([[[8.0, 10.0], [9.0, 10.0]]])
        >>> found = compare(right, right - [2, 0], lambda counts: counts[..., 0] / counts[..., 1], margin=0.01)
        >>> round(found.value, 3), round(found.low, 3), found.p < 0.01
        (0.2, 0.2, True)
    """
    return difference_of(pair(first, second, value, resamples), margin)


def margin_at(score: float, margin: float) -> float:
    """The least difference that matters at a score of at most 1: the margin, but no more than a tenth of the errors.

    Example:
        >>> margin_at(0.5, 0.01), round(margin_at(0.97, 0.01), 4)
        (0.01, 0.003)
    """
    return max(TINY, min(margin, SHARE_OF_ERRORS * (1 - score)))


def prior_of(pairs: Sequence[Paired]) -> Prior:
    """What comparisons of one kind say together of how much seeds differ, by empirical Bayes.

    Few seeds say little of their spread, many comparisons of the same data and metric a lot. Comparisons that share a
    variant are not independent, so the prior counts at most for the degrees of freedom of all of them together. Those
    in which all seeds are equal are left out.

    Source: Smyth, Linear Models and Empirical Bayes Methods, SAGMB 2004 (section 6.2, fitted to the log variances).

    Example:
        >>> many = [Paired(np.array([0.0, spread, 2 * spread]), 0.5, 0.0, 9) for spread in (0.01, 0.02, 0.03)]
        >>> 0.01 < prior_of(many).variance ** 0.5 < 0.03, prior_of(many[:1]).freedom
        (True, 0.0)
    """
    spread = [(float(one.by_seed.var(ddof=1)), len(one.by_seed) - 1) for one in pairs if len(one.by_seed) > 1]
    known = [(variance, freedom) for variance, freedom in spread if variance > TINY**2]
    if len(known) < 2:
        return Prior(0.0, 0.0)
    variances, freedoms = np.array([v for v, _ in known]), np.array([float(f) for _, f in known])
    logs = np.log(variances) - special.digamma(freedoms / 2) + np.log(freedoms / 2)
    excess = float(logs.var(ddof=1) - special.polygamma(1, freedoms / 2).mean())
    most = float(freedoms.sum())
    freedom = min(most, 2 * _inverse_trigamma(excess)) if excess > 0 else most
    return Prior(float(np.exp(logs.mean() + special.digamma(freedom / 2) - math.log(freedom / 2))), freedom)


def _inverse_trigamma(value: float) -> float:
    """The x whose trigamma is ``value``, above 0.

    Example:
        >>> round(_inverse_trigamma(float(special.polygamma(1, 3.0))), 6)
        3.0
    """
    return float(optimize.brentq(lambda x: float(special.polygamma(1, x)) - value, 1e-8, 1e8))


def difference_of(paired: Paired, margin: float, prior: Prior = Prior(0.0, 0.0)) -> Difference:  # noqa: B008 - a tuple, never changed
    """Interval and tests of a mean over seeds, by Student's t.

    The variance is that of seeds, as they differ, and that of test videos, as a bootstrap over them has it; its degrees
    of freedom are Satterthwaite's. A bootstrap over seeds too would be far too sure: with 3 of them its 95 % interval
    holds the truth in 75 of 100 cases. Of one seed the interval is that of the videos alone.

    Args:
        paired: the two variants.
        margin: least difference that matters, above 0.
        prior: what is known of the seeds' variance from other comparisons; see :func:`prior_of`.

    Example:
        >>> found = difference_of(Paired(np.array([0.01, 0.02, 0.03]), 0.5, 0.0, 9), margin=0.01)
        >>> round(found.low, 4), round(found.high, 4), round(found.p, 4)
        (-0.0048, 0.0448, 0.0742)
    """
    by_seed, seeds = paired.by_seed, len(paired.by_seed)
    value, freedom = float(by_seed.mean()), float(max(seeds - 1, 0))
    variance = float(by_seed.var(ddof=1)) if seeds > 1 else 0.0
    if variance and prior.freedom:
        variance = (prior.freedom * prior.variance + freedom * variance) / (prior.freedom + freedom)
        freedom = freedom + prior.freedom
    of_seeds, of_videos = variance / seeds, (paired.half_width_of_videos / 1.96) ** 2
    error = math.sqrt(of_seeds + of_videos)
    inverse = of_seeds**2 / max(1, freedom) + of_videos**2 / max(1, paired.num_videos - 1)
    student = stats.t((of_seeds + of_videos) ** 2 / inverse if inverse else math.inf, scale=error or TINY)
    half = float(student.ppf((1 + LEVEL) / 2)) if error else 0.0
    return Difference(
        value,
        value - half,
        value + half,
        float(2 * student.sf(abs(value))),
        float(student.sf(margin - abs(value))),
        margin,
        seeds,
        paired.num_videos,
        _seeds_for(HALF_WIDTH, by_seed),
        paired.half_width_of_videos,
    )


def _seeds_for(half_width: float, by_seed: FloatArray) -> int:
    """Seeds for an interval of the mean that is ``half_width`` to either side, as far as seeds go; at least 2.

    Example:
        >>> _seeds_for(0.005, np.array([0.01, 0.02, 0.03]))
        16
    """
    if len(by_seed) < 2:
        return 2
    return max(2, math.ceil((1.96 * float(by_seed.std(ddof=1)) / half_width) ** 2))


def mean_and_error(values: FloatArray) -> tuple[float, float]:
    """Mean over seeds and its standard error, ``nan`` for one seed.

    Example:
        >>> mean_and_error(np.array([1.0, 3.0]))
        (2.0, 1.0)
    """
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(values.mean()), error

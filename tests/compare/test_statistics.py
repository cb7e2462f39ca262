"""Intervals and tests: how often they hold the truth, and what they say of made-up scores."""

from __future__ import annotations

import numpy as np
import pytest

from gad_lightning.compare.statistics import Paired, compare, difference_of, margin_at, prior_of


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.1])
@pytest.mark.parametrize("seeds", [3, 5, 8])
def test_an_interval_covers_the_true_difference_about_as_often_as_it_says(seeds: int, spread: float) -> None:
    rng = np.random.default_rng(0)
    covered = wrong = 0
    for _ in range(300):
        level = rng.normal(0, 0.05, (1, 30))  # videos are hard or easy, for both
        pair = [
            np.stack([1000 * (0.7 + gain + level + own + noise), np.full((seeds, 30), 1000.0)], -1)
            for gain in (0.01, 0.0)
            for own, noise in [(rng.normal(0, spread, (seeds, 1)), rng.normal(0, 0.02, (seeds, 30)))]
        ]
        found = compare(*pair, lambda counts: counts[..., 0] / counts[..., 1], margin=0.01, resamples=400)
        covered += found.low <= 0.01 <= found.high
        wrong += found.p_equivalent < 0.05  # the difference is the margin itself
    assert covered / 300 >= 0.92
    assert wrong / 300 <= 0.07


@pytest.mark.parametrize("unequal", [0.0, 0.7])
def test_what_other_comparisons_say_of_the_seeds_keeps_the_interval_right_and_makes_it_narrower(unequal: float) -> None:
    """Eight variants against a ninth, so that the comparisons are not independent; spreads equal or log-normal."""
    rng = np.random.default_rng(1)
    covered, alone, together = 0, 0.0, 0.0
    for _ in range(200):
        spreads = 0.02 * np.exp(unequal * rng.standard_normal(9))
        scores = rng.normal(0, spreads[:, None], (9, 5))
        pairs = [Paired(each - scores[0], 0.5, 0.0, 50) for each in scores[1:]]
        prior = prior_of(pairs)
        found = [difference_of(pair, 0.01, prior) for pair in pairs]
        covered += sum(one.low <= 0 <= one.high for one in found)
        together += sum(one.high - one.low for one in found)
        alone += sum(one.high - one.low for one in (difference_of(pair, 0.01) for pair in pairs))
    assert covered / 1600 >= 0.92
    assert together < 0.95 * alone


def test_of_one_comparison_or_of_equal_seeds_nothing_is_known() -> None:
    one = Paired(np.array([0.0, 0.1, 0.2]), 0.5, 0.0, 9)
    equal = one._replace(by_seed=np.zeros(3))
    assert prior_of([one]).freedom == 0
    assert prior_of([one, equal]).freedom == 0
    assert difference_of(equal, 0.01, prior_of([one, one])).high == 0


def test_a_margin_shrinks_with_the_errors_and_stays_above_nothing() -> None:
    assert margin_at(0.8, 0.01) == 0.01
    assert margin_at(0.97, 0.01) == pytest.approx(0.003)
    assert margin_at(1.0, 0.01) > 0


def test_the_fewer_the_units_the_wider_the_interval() -> None:
    many = Paired(np.full(5, 0.01), 0.5, 0.01, 61)
    wide, narrow = (difference_of(many._replace(num_videos=units), 0.01) for units in (9, 61))
    assert wide.high > narrow.high

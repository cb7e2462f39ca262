"""Intervals and tests: how often they hold the truth, and what they say of made-up scores."""

from __future__ import annotations

import numpy as np
import pytest

from gad_lightning.compare.statistics import compare


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

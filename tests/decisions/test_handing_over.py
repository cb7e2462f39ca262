"""How much is written in a minute, and which settings make sense."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gad_lightning.decisions.handing_over import HandOver, TokenBudget
from gad_lightning.errors import SettingError


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"min_seconds": 0}, "min_seconds of HandOver must be above 0"),
        ({"min_seconds": float("nan")}, "min_seconds of HandOver must be above 0"),
        ({"max_tokens": 0}, "max_tokens of HandOver must be at least 1"),
        ({"max_tokens": 1.5}, "max_tokens of HandOver is 1.5, and tokens are counted"),
        ({"tokens_per_minute": float("nan")}, "tokens_per_minute of HandOver is nan, and tokens are counted"),
        ({"from_slot": False, "from_base": False}, "nothing is written"),
        ({"tokens_per_minute": 31}, "tokens_per_minute of HandOver is 31, and a stretch may take 32"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingError, match=told):
        HandOver(**given)


def test_a_stretch_lasts_at_least_a_frame() -> None:
    assert [HandOver(min_seconds=seconds).frames(4.0) for seconds in (0.01, 0.25, 0.3, 2.0)] == [1, 1, 2, 8]


@pytest.mark.parametrize("fps", [0.05, 0.9, 4.0])
def test_no_minute_holds_more_tokens_than_allowed(fps: float) -> None:
    rng = np.random.default_rng(0)
    budget, written = TokenBudget(20, fps, streams=2), np.zeros(1000, dtype=int)
    for frame in range(len(written)):
        wanted = int(rng.integers(1, 9))
        if wanted <= budget.left(1, frame):
            budget.spend(1, frame, wanted)
            written[frame] = wanted
    minute = int(np.ceil(60 * fps))
    sums = np.convolve(written, np.ones(minute, dtype=int))
    assert 12 < sums.max() <= 20
    assert budget.left(0, 1000) == 20  # the other stream has a budget of its own

"""The contract of a gate."""

from __future__ import annotations

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.streaming.gates.feature_change import FeatureChange


def test_a_wait_is_counted_in_whole_frames_and_at_least_one() -> None:
    gate = FeatureChange(longest_wait=1.5)
    assert [gate.frames(fps) for fps in (0.1, 2.0, 4.0)] == [1, 3, 6]


@pytest.mark.parametrize("wait", [0, -1, 3601, float("inf"), float("nan")])
def test_a_wait_that_is_no_time_is_refused(wait: float) -> None:
    with pytest.raises(SettingError, match="longest_wait is a time in seconds above 0"):
        FeatureChange(longest_wait=wait)

"""What was observed is counted by known frames, and refused where it says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from gad_lightning.decisions.observed import check_share
from gad_lightning.errors import DataError, SettingError
from gad_lightning.schema import LabelSet
from tests.decisions.worlds import observed_of

SCORES = np.log(np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]))


def test_hours_are_those_of_known_truth() -> None:
    seen = observed_of(np.tile(SCORES, (2400, 1)), np.array([0, 1, -100] * 2400), fps=1.0)
    assert seen.hours.tolist() == pytest.approx([4800 / 3600])
    ignoring = seen._replace(labels=LabelSet(("background", "stir"), background=0, ignore=1))
    assert ignoring.hours.tolist() == pytest.approx([2400 / 3600])
    assert ignoring.actions == []


def test_a_gap_and_a_new_video_break() -> None:
    seen = observed_of(np.tile(SCORES, (2, 1)), np.zeros(6, dtype=np.int64), np.array([0, 0, 0, 1, 1, 1]))
    assert seen.breaks.tolist() == [True, False, False, True, False, False]
    assert seen._replace(frame=np.array([0, 1, 5, 0, 1, 2])).breaks.tolist()[:3] == [True, False, True]


def test_scores_that_are_nan_or_no_logarithms_are_refused_by_frame() -> None:
    broken = SCORES.copy()
    broken[1, 0] = np.nan
    with pytest.raises(DataError, match=r"frame 1 of video 0 are no log-probabilities.*\(1 such frames\)"):
        observed_of(broken, np.array([0, 1, 0])).checked()
    with pytest.raises(DataError, match="no log-probabilities"):
        observed_of(np.exp(SCORES), np.array([0, 1, 0])).checked()


def test_videos_without_labels_are_refused() -> None:
    with pytest.raises(DataError, match="No frame of the videos has a known label"):
        observed_of(SCORES, np.array([-100] * 3)).checked()


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_lies_inside(value: float) -> None:
    with pytest.raises(SettingError, match="error must lie between 0 and 1"):
        check_share(value, "error")

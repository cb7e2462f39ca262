"""Thresholds keep the stated rate on new videos, and say what they cost."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gad_lightning.decisions.counting import cost_of, track_of
from gad_lightning.decisions.observed import Observed
from gad_lightning.decisions.thresholds import GRID, NEVER, AlarmThresholds, Thresholds
from gad_lightning.errors import DataError, SettingError
from gad_lightning.rebuilding import rebuild
from gad_lightning.schema import LabelSet
from tests.decisions.worlds import observed_of, stirring

THREE = LabelSet(("background", "stir", "salt"), background=0)


def three(rare: int) -> Observed:
    """Videos of two actions, one of which occurs in ``rare`` videos only."""
    seen = stirring(np.random.default_rng(3), videos=30)
    share = seen.scores[:, 1:]
    truth = seen.truth[:, 1].astype(np.int64)
    there = truth * (seen.video < rare)
    scores = np.concatenate([1 - share, 0.9 * share, 0.1 * share], 1)
    return observed_of(scores, np.where(there == 1, 2, truth), seen.video, THREE)


def test_the_rate_is_kept_on_new_videos_as_often_as_stated() -> None:
    rate, tries = 22.0, 40  # between the true rates of two thresholds that are tried, 19 and 28
    draw = np.random.default_rng(0)
    population = stirring(draw, videos=4000, frames=120, level=0.4)
    track, hours = track_of(population, 1), population.hours.sum()
    true_rate = {enter: cost_of(track, enter, enter, 1).alarms.sum() / hours for enter in GRID[18:44]}
    above = naive = 0
    for _ in range(tries):
        seen = stirring(draw, videos=40, frames=120, level=0.4)
        found, _ = AlarmThresholds(rate).fit(seen)
        above += true_rate[found.enter[1]] > rate
        lower = GRID[GRID.index(found.enter[1]) :][:8]
        kept = [enter for enter in lower if alarm_rate(seen, enter) <= rate]
        naive += true_rate[kept[-1]] > rate
    most = stats.binom.ppf(0.99, tries, 0.05)
    assert above <= most < naive, (above, naive)


def alarm_rate(seen: Observed, enter: float) -> float:
    """False alarms an hour of what was seen."""
    rate: float = cost_of(track_of(seen, 1), enter, enter, 1).alarms.sum() / seen.hours.sum()
    return rate


def test_thresholds_are_the_smallest_that_keep_the_rate_and_cost_what_is_said() -> None:
    seen = stirring(np.random.default_rng(2), videos=30)
    found, rows = AlarmThresholds(20.0).fit(seen)
    loose, _ = AlarmThresholds(100.0).fit(seen)
    assert loose.enter[1] < found.enter[1] < NEVER
    assert found.enter[0] == NEVER  # the background's is not used
    assert rows[0].bound <= 20.0
    assert rows[0].false_alarms_per_hour <= rows[0].bound
    cost = cost_of(track_of(seen, 1), found.enter[1], found.leave[1], 1)
    assert rows[0].recall == round(cost.recall, 4)
    assert rows[0].precision == round(cost.precision, 4)
    assert rows[0].delay_seconds == round(cost.delay_seconds(4.0), 4)
    looser = cost_of(track_of(seen, 1), found.enter[1], found.enter[1], 1)
    assert cost.wrong <= looser.wrong


def test_a_minimum_duration_allows_a_smaller_threshold() -> None:
    seen = stirring(np.random.default_rng(2), videos=30)
    assert AlarmThresholds(20.0).fit(seen, frames=4)[0].enter[1] < AlarmThresholds(20.0).fit(seen)[0].enter[1]


def test_a_rare_class_is_fitted_with_its_neighbors_and_says_so() -> None:
    found, rows = AlarmThresholds(20.0).fit(three(rare=2))
    alone, _ = AlarmThresholds(20.0, fewest=1).fit(three(rare=2))
    assert [row.pooled for row in rows] == [(), ("stir",)]
    assert found.enter[2] > alone.enter[2]
    assert found.enter[1] == alone.enter[1]


def test_a_class_that_never_occurs_is_refused_or_fitted_with_all() -> None:
    with pytest.raises(DataError, match="never occur in the videos: 'salt'") as error:
        AlarmThresholds(20.0).fit(three(rare=0))
    assert "absent='pool'" in error.value.remedy
    _, rows = AlarmThresholds(20.0, absent="pool").fit(three(rare=0))
    assert rows[1].pooled == ("stir",)
    assert rows[1].recall is None
    assert rows[1].cells()[4:6] == ("-", "-")


def test_a_class_that_cannot_keep_the_rate_never_goes_on() -> None:
    seen = stirring(np.random.default_rng(2), videos=30)
    noisy = seen.scores.copy()
    noisy[::2] = (0.0, 1.0)
    found, rows = AlarmThresholds(20.0).fit(seen._replace(scores=noisy))
    assert found.enter[1] == found.leave[1] == NEVER
    assert rows[0].recall == 0
    assert rows[0].cells()[:6] == ("stir", "never", "never", "30", "0", "-")


def test_too_few_hours_or_videos_are_refused_with_what_is_enough() -> None:
    seen = stirring(np.random.default_rng(2), videos=30)
    with pytest.raises(DataError, match=r"needs 3 hours of labeled video .*got 0\.5\.") as error:
        AlarmThresholds(1.0).fit(seen)
    assert "a false_alarms_per_hour of 6.0 or more" in error.value.remedy
    AlarmThresholds(6.0).fit(seen)
    with pytest.raises(DataError, match="need 5 videos or more, got 3"):
        AlarmThresholds(1000.0).fit(stirring(np.random.default_rng(2), videos=3))


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(SettingError, match="above 0, got 0: no number of hours"):
        AlarmThresholds(0)


def test_thresholds_are_recorded_and_made_again() -> None:
    found, _ = AlarmThresholds(20.0).fit(stirring(np.random.default_rng(2), videos=30))
    again = rebuild(found.spec())
    assert isinstance(again, AlarmThresholds)
    assert (again.enter, again.leave, again.rate) == (found.enter, found.leave, 20.0)


@pytest.mark.parametrize(("enter", "leave"), [([0.5], [0.6]), ([0.5, 0.5], [0.5]), ([2.5], None), ([0.5], [-0.1])])
def test_thresholds_out_of_range_are_refused(enter: list[float], leave: list[float] | None) -> None:
    with pytest.raises(SettingError, match="off below `leave`"):
        Thresholds(enter, leave)

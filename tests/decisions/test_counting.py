"""Costs are counted as the metrics count them; bounds hold for few counts and for counts that come together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from gad_lightning.decisions.counting import _count_bound, cost_of, rate_bound, track_of, video_draws
from gad_lightning.decisions.switches import switched
from gad_lightning.metrics import DetectionDelay
from tests.decisions.worlds import observed_of, stirring


@pytest.mark.parametrize(("enter", "leave", "frames"), [(0.5, 0.5, 1), (0.3, 0.1, 1), (0.6, 0.2, 3), (2.0, 2.0, 1)])
def test_the_metrics_count_the_same(enter: float, leave: float, frames: int) -> None:
    seen = stirring(np.random.default_rng(1), videos=12)
    cost = cost_of(track_of(seen, 1), enter, leave, frames)
    on = switched(seen.scores, np.array([2.0, enter]), np.array([2.0, leave]), frames, seen.breaks)[:, 1]
    metric = DetectionDelay(num_classes=2, fps=seen.fps)
    columns = (on.astype(np.int64), seen.truth[:, 1].astype(np.int64), seen.video, seen.frame)
    metric.update(*map(torch.from_numpy, columns))
    details = metric.details()
    assert int(details["false_alarms"]) == cost.alarms.sum()
    assert int(details["segments"]) == cost.segments.sum() == 12
    assert float(details["missed"]) == pytest.approx(1 - cost.recall)
    assert float(details["mean_seconds"]) == pytest.approx(cost.delay_seconds(seen.fps), nan_ok=True)


def test_alarms_belong_to_their_videos_and_unknown_frames_raise_none() -> None:
    share = np.array([0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9])
    seen = observed_of(np.stack([1 - share, share], 1), np.array([0, 0, 1, 0, 0, 0, -100]), np.array([0] * 4 + [1] * 3))
    cost = cost_of(track_of(seen, 1), 0.5, 0.5, 1)
    assert cost.alarms.tolist() == [1, 1]
    assert cost.found.tolist() == [1, 0]


def test_wrong_frames_are_missed_ones_and_those_beyond_a_right_event() -> None:
    share = np.array([0.9, 0.1, 0.1, 0.9, 0.9, 0.9, 0.1])
    seen = observed_of(np.stack([1 - share, share], 1), np.array([0, 0, 1, 1, 0, 0, 0]))
    assert cost_of(track_of(seen, 1), 0.5, 0.5, 1).wrong == 1 + 2


def test_the_poisson_bound_is_that_of_the_chi_squared_distribution() -> None:
    for count in (0, 1, 7):
        assert _count_bound(count, 0.9) == pytest.approx(stats.chi2.ppf(0.9, 2 * count + 2) / 2)


def test_alarms_that_come_together_widen_the_bound() -> None:
    hours, draws = np.full(40, 0.1), video_draws(40)
    spread, heaped = np.ones(40, dtype=np.int64), np.zeros(40, dtype=np.int64)
    heaped[:2] = 20
    assert rate_bound(spread, hours, draws, 0.95) == pytest.approx(_count_bound(40, 0.95) / 4)
    assert rate_bound(heaped, hours, draws, 0.95) > 1.5 * _count_bound(40, 0.95) / 4
    assert rate_bound(heaped * 0, hours, draws, 0.95) == pytest.approx(-np.log(0.05) / 4)

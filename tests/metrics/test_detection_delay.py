"""Delay and false alarms on cases that can be checked in the head."""

from __future__ import annotations

import math

import pytest
import torch

from gad_lightning.errors import SettingError
from gad_lightning.metrics import DetectionDelay, FalseAlarmsPerHour
from gad_lightning.metrics.functional.detection_delay import DelayDetails

HOUR = 3600


def details(preds: list[int], target: list[int], fps: float = 2.0, **settings: int | None) -> DelayDetails:
    """What the metric says of one video."""
    metric, frames = DetectionDelay(4, fps=fps, **settings), torch.arange(len(preds))
    metric.update(torch.tensor(preds), torch.tensor(target), frames * 0, frames)
    return metric.details()


@pytest.mark.parametrize(
    ("preds", "target", "delay", "missed", "alarms"),
    [
        pytest.param([0, 1, 1, 0], [0, 1, 1, 0], 0.0, 0.0, 0, id="at once"),
        pytest.param([1, 1, 1, 0], [0, 1, 1, 0], 0.0, 0.0, 0, id="before it begins"),
        pytest.param([0, 0, 0, 1], [0, 1, 1, 1], 1.0, 0.0, 0, id="two frames late"),
        pytest.param([0, 0, 0, 2], [0, 1, 1, 1], math.nan, 1.0, 1, id="never, and something else"),
        pytest.param([0, 0, 1, 0], [1, 1, 0, 2], math.nan, 1.0, 1, id="after the end is too late"),
        pytest.param([1, 0, 1, 2], [1, 1, 1, 3], 0.0, 0.5, 1, id="fragments of the right class are no false alarm"),
        pytest.param([0, 0, 0, 0], [0, 0, 0, 0], math.nan, math.nan, 0, id="nothing"),
        pytest.param([1, 0, 1, 0], [0, 0, 0, 0], math.nan, math.nan, 2, id="nothing to find"),
    ],
)
def test_hand_checked_cases(preds: list[int], target: list[int], delay: float, missed: float, alarms: int) -> None:
    found = details(preds, target)
    assert float(found["mean_seconds"]) == pytest.approx(delay, nan_ok=True)
    assert float(found["missed"]) == pytest.approx(missed, nan_ok=True)
    assert int(found["false_alarms"]) == alarms
    assert float(found["false_alarms_per_hour"]) == pytest.approx(alarms / (4 / 2 / HOUR))


def test_spread_and_classes() -> None:
    target = [1] * 10 + [2] * 10 + [0] + [2] * 5
    preds = [0] * 4 + [1] * 6 + [2] * 10 + [0] * 6
    found = details(preds, target, fps=1.0)
    assert float(found["mean_seconds"]) == 2
    assert float(found["median_seconds"]) == 2
    assert float(found["p90_seconds"]) == pytest.approx(3.6)
    assert found["per_class_seconds"].nan_to_num(-1).tolist() == [-1, 4, 0, -1]
    assert found["per_class_missed"].nan_to_num(-1).tolist() == [-1, 0, 0.5, -1]
    assert int(found["segments"]) == 3


def test_nothing_is_a_false_alarm_where_the_truth_is_ignored() -> None:
    found = details([1, 1, 2, 2], [3, 3, 3, 0], ignore_index=3)
    assert int(found["false_alarms"]) == 1  # the 2, which goes on after the ignored frames
    assert float(found["false_alarms_per_hour"]) == pytest.approx(1 / (1 / 2 / HOUR))


def test_gaps_count_as_time() -> None:
    metric, frames = DetectionDelay(2, fps=1, gaps="cut"), torch.tensor([0, 1, 2, 9])
    metric.update(torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 1, 1]), frames * 0, frames)
    assert float(metric.compute()) == 1  # 2 s, and 0 s for what follows the gap
    rate = FalseAlarmsPerHour(2, fps=1, gaps="cut")
    rate.update(torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 0, 1]), frames * 0, frames)
    assert float(rate.compute()) == HOUR / 4
    assert torch.equal(rate.details()["false_alarms_per_hour"], rate.compute())


def test_a_frame_rate_is_needed() -> None:
    with pytest.raises(SettingError, match="fps is nan"):
        DetectionDelay(2, fps=math.nan)

"""Every point of the curve is what the metrics say of the labels that a threshold leaves."""

from __future__ import annotations

import math
import re

import pytest
import torch

from gad_lightning.errors import DataError, SettingError
from gad_lightning.metrics import AlarmCurve, DetectionDelay


def test_every_point_is_what_the_delay_metric_says_at_that_threshold() -> None:
    draw = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 4, (60,), generator=draw).repeat_interleave(5)
    preds = torch.where(torch.rand(300, generator=draw) < 0.4, torch.randint(0, 4, (300,), generator=draw), truth)
    score = torch.rand(300, generator=draw)
    truth[40:50] = -100
    video, frame = torch.arange(300) // 100, torch.arange(300) % 100
    curve = AlarmCurve(4, fps=4, thresholds=[0.0, 0.3, 0.7, 1.0])
    curve.update(score, preds, truth, video, frame)
    found = curve.compute()
    for place, threshold in enumerate([0.0, 0.3, 0.7]):
        metric = DetectionDelay(4, fps=4)
        metric.update(preds * (score >= threshold), truth, video, frame)
        details = metric.details()
        assert float(found.alarms[place]) == pytest.approx(float(details["false_alarms_per_hour"]))
        assert float(found.recall[place]) == pytest.approx(1 - float(details["missed"]))
        assert float(found.delay[place]) == pytest.approx(float(details["median_seconds"]))
        assert found.each_recall[place, 1:].tolist() == pytest.approx((1 - details["per_class_missed"][1:]).tolist())
        assert float(found.each_alarms[place].sum()) == pytest.approx(float(found.alarms[place]))
    assert found.recall[3] == found.alarms[3] == 0
    assert math.isnan(float(found.delay[3]))
    assert found.recall.diff().max() <= 0


def test_a_class_of_its_own_has_its_own_delay() -> None:
    curve, frames = AlarmCurve(3, fps=1, thresholds=[0.5]), torch.arange(6)
    preds, truth = torch.tensor([0, 1, 0, 0, 0, 2]), torch.tensor([0, 1, 1, 2, 2, 2])
    curve.update(torch.full((6,), 0.9), preds, truth, frames * 0, frames)
    assert curve.compute().each_delay[0, 1:].tolist() == [0, 2]


def test_settings_and_scores_are_checked() -> None:
    for thresholds in ([0.5, 0.2], [0.5, 0.5], [1.5], [], [-0.5]):
        with pytest.raises(SettingError, match=re.escape(f"thresholds are {thresholds}")):
            AlarmCurve(3, fps=4, thresholds=thresholds)
    frames = torch.arange(2)
    with pytest.raises(DataError, match="score is one probability a frame"):
        AlarmCurve(3, fps=4).update(torch.tensor([0.5, 1.5]), frames, frames, frames * 0, frames)

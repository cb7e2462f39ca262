"""The risk is the mean loss of a video, as risk control bounds it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.decisions.worlds import stirring

from gad_lightning.decisions.counting import track_of
from gad_lightning.decisions.risk import RiskControl
from gad_lightning.decisions.switches import switched
from gad_lightning.errors import SettingError
from gad_lightning.metrics import VideoRisk
from gad_lightning.types import IGNORED


@pytest.mark.parametrize(
    ("loss", "largest", "enter"), [("missed", 1.0, 0.992), ("missed", 1.0, 0.995), ("false_alarms", 200.0, 0.3)]
)
def test_it_is_the_loss_that_risk_control_bounds(loss: str, largest: float, enter: float) -> None:
    seen = stirring(np.random.default_rng(2), videos=15, frames=200)
    control = RiskControl(loss, largest / 2, largest)
    losses = control._losses([track_of(seen, 1)], seen.hours, enter, 1)
    on = switched(seen.scores, np.array([2.0, enter]), np.array([2.0, enter]), 1, seen.breaks)[:, 1]
    metric = VideoRisk(2, fps=seen.fps, loss=loss, largest=largest)
    columns = (on.astype(np.int64), seen.truth[:, 1].astype(np.int64), seen.video, seen.frame)
    metric.update(*map(torch.from_numpy, columns))
    assert 0 <= losses.min() < losses.max() <= largest
    assert metric.details()["loss"].tolist() == pytest.approx(losses.tolist())
    assert float(metric.compute()) == pytest.approx(losses.mean())


def test_videos_without_known_truth_are_left_out_and_those_without_an_action_lose_nothing() -> None:
    metric, frames = VideoRisk(2, fps=4), torch.arange(2)
    metric.update(frames * 0, frames * 0 + 1, frames * 0, frames)
    metric.update(frames * 0, frames * 0, frames * 0 + 1, frames)
    metric.update(frames * 0, frames * 0 + IGNORED, frames * 0 + 2, frames)
    assert metric.details()["loss"].nan_to_num(-1).tolist() == [1, 0, -1]
    assert float(metric.compute()) == 0.5
    nothing = VideoRisk(2, fps=4)
    nothing.update(*[frames[:0]] * 4)
    assert math.isnan(float(nothing.compute()))


def test_settings_are_checked() -> None:
    with pytest.raises(SettingError, match="loss is 'found'"):
        VideoRisk(2, fps=4, loss="found")
    with pytest.raises(SettingError, match="at most 1, got largest=2"):
        VideoRisk(2, fps=4, largest=2.0)
    with pytest.raises(SettingError, match="largest is 0"):
        VideoRisk(2, fps=4, loss="false_alarms", largest=0)

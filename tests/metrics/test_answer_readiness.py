"""Early and late alarms are penalized apart, the early ones harder."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gad_lightning.errors import SettingError
from gad_lightning.metrics import AnswerReadiness
from gad_lightning.segments import cut


def score(preds: str, truth: str, window_seconds: float | None = None) -> float:
    """Readiness of one video at one frame a second."""
    columns = (torch.tensor([int(letter) for letter in text]) for text in (preds, truth))
    frames = torch.arange(len(preds))
    return float(AnswerReadiness(3, fps=1, window_seconds=window_seconds)(*columns, frames * 0, frames))


def test_an_alarm_within_the_action_is_ready_and_an_early_one_loses_more_than_a_late_one() -> None:
    truth = "0000111100000"
    assert score("0000110000000", truth) == score("0000000100000", truth) == 1
    early, late = score("0001111100000", truth), score("0000000010000", truth)
    assert early == pytest.approx(2 / (1 + math.exp(6 / 4)))
    assert late == pytest.approx(1 - 1 / 4)
    assert score("0110000000000", truth) < score("0000000000100", truth) == pytest.approx(1 - 3 / 4)
    assert score("0000222200000", truth) == score("0000000000000", truth) == 0


def test_a_window_makes_later_alarms_within_the_action_late() -> None:
    truth = "0000111100000"
    assert score("0000010000000", truth, window_seconds=1) == 1
    assert score("0000001000000", truth, window_seconds=1) == pytest.approx(3 / 4)
    assert score("0000000010000", truth, window_seconds=0) == pytest.approx(0)
    assert score("0000000010000", truth, window_seconds=9) == pytest.approx(3 / 4)


def test_the_first_alarm_answers_and_one_alarm_answers_one_action() -> None:
    assert score("00010110000", "00001111000") == pytest.approx(2 / (1 + math.exp(6 / 4)))
    assert score("1111111111", "1110000111") == pytest.approx(1 / 2)
    assert score("0100000100", "1110000111") == 1
    assert score("0000001110", "1110000011") == pytest.approx(1 / (1 + math.exp(6 * 2 / 2.5)), abs=1e-6)
    assert score("0000011110", "1110000011") == 0


def by_loop(preds: np.ndarray, truth: np.ndarray) -> list[float]:
    """Readiness of the segments of one video, by the words of the definition."""
    true, found = (cut(column.tolist(), skip=[0]) for column in (truth, preds))
    if not true:
        return []
    scale = float(np.median([end - start for _, start, end in true]))
    came: list[list[int]] = [[] for _ in true]
    for label, alarm, _ in found:
        away = [
            (max(start - alarm, alarm - end + 1, 0), place)
            for place, (other, start, end) in enumerate(true)
            if other == label
        ]
        if away and min(away)[0] <= scale:
            came[min(away)[1]].append(alarm)
    scores = []
    for (_, start, end), alarms in zip(true, came, strict=True):
        first = min(alarms, default=None)
        early, late = (0, 0) if first is None else (max(0, start - first), max(0, first - end + 1))
        scores.append(0.0 if first is None else 2 / (1 + math.exp(6 * early / scale)) * max(0, 1 - late / scale))
    return scores


def test_it_is_what_the_definition_says_of_many_videos() -> None:
    draw = np.random.default_rng(0)
    metric = AnswerReadiness(4, fps=4)
    expected: list[float] = []
    for video in range(40):
        truth = np.repeat(draw.integers(4, size=12), draw.integers(1, 6, size=12))
        preds = np.roll(np.where(draw.random(len(truth)) < 0.3, draw.integers(4, size=len(truth)), truth), 2)
        expected += by_loop(preds, truth)
        number = torch.full((len(truth),), 7 * video + 10**9)
        metric.update(torch.from_numpy(preds), torch.from_numpy(truth), number, torch.arange(len(truth)))
    details = metric.details()
    assert len(expected) > 200
    assert float(metric.compute()) == pytest.approx(np.mean(expected), abs=1e-6)
    assert float(details["readiness"]) == pytest.approx(np.mean(expected), abs=1e-6)
    assert 0 < float(details["early"]) < 1
    assert 0 < float(details["late"]) < 1
    assert float(details["kept_by_early"]) < float(details["kept_by_late"]) < 1
    assert details["per_class"].isnan().tolist() == [True, False, False, False]
    assert float(details["answered"]) == pytest.approx(np.mean(np.array(expected) > 0), abs=0.02)


def test_nothing_to_answer_is_nan_and_settings_are_checked() -> None:
    assert math.isnan(score("0110", "0000"))
    with pytest.raises(SettingError, match=r"window_seconds is -1"):
        AnswerReadiness(3, fps=4, window_seconds=-1)
    with pytest.raises(SettingError, match="fps is 0"):
        AnswerReadiness(3, fps=0)

"""Smoothed labels change later and less often, never ahead of their time."""

from __future__ import annotations

import random

import pytest
import torch

from gad_lightning.decisions.smoothing import SeveralSmoothing, Smoothing
from gad_lightning.errors import SettingError
from gad_lightning.schema import LabelSet
from gad_lightning.segments import cut
from gad_lightning.types import chosen_classes
from tests.decisions.rules import hysteresis, minimum_duration


@pytest.mark.parametrize(
    ("labels", "frames", "expected"),
    [
        pytest.param([], 3, [], id="nothing"),
        pytest.param([2, 1, 0], 1, [2, 1, 0], id="one frame is no minimum"),
        pytest.param([0, 1, 1, 0], 2, [0, 0, 1, 1], id="shown once it has lasted"),
        pytest.param([0, 1, 0, 1, 1], 2, [0, 0, 0, 0, 1], id="a flicker does not count"),
        pytest.param([0, 1, 2, 1, 2, 2], 2, [0, 0, 0, 0, 0, 2], id="two candidates do not add up"),
        pytest.param([0, 1, 1, 1, 2, 2, 2], 3, [0, 0, 0, 1, 1, 1, 2], id="one after the other"),
    ],
)
def test_minimum_duration(labels: list[int], frames: int, expected: list[int]) -> None:
    assert minimum_duration(labels, frames) == expected


@pytest.mark.parametrize(
    ("rows", "background", "expected"),
    [
        pytest.param([(0.3, 0.7, 0.0), (0.6, 0.4, 0.0), (0.6, 0.2, 0.2)], 0, [1, 1, 0], id="kept until it falls below"),
        pytest.param([(0.2, 0.4, 0.4), (0.1, 0.6, 0.3)], 0, [0, 0], id="never entered"),
        pytest.param([(0.0, 0.7, 0.3), (0.0, 0.3, 0.7), (0.0, 0.5, 0.5)], 0, [1, 2, 2], id="another one enters"),
        pytest.param([(0.8, 0.1, 0.1), (0.2, 0.6, 0.2)], None, [0, 1], id="the likeliest where nothing is background"),
    ],
)
def test_hysteresis(rows: list[tuple[float, ...]], background: int | None, expected: list[int]) -> None:
    assert hysteresis(rows, 0.7, 0.3, background) == expected


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_every_run_but_the_last_is_long_enough_and_nothing_is_known_early(frames: int) -> None:
    draw = random.Random(0)
    labels = [draw.randrange(3) for _ in range(30) for _ in range(draw.randrange(1, 6))]
    smoothed = minimum_duration(labels, frames)
    assert all(segment.end - segment.start >= frames for segment in cut(smoothed)[:-1])
    assert all(smoothed[:end] == minimum_duration(labels[:end], frames) for end in range(len(labels)))
    assert all(label in labels[: moment + 1] for moment, label in enumerate(smoothed))


def test_a_stream_is_smoothed_as_a_sequence_and_starts_anew() -> None:
    noise = torch.randn(20, 4, generator=torch.Generator().manual_seed(0)).mul(3)
    probabilities = noise.repeat_interleave(4, 0).softmax(-1)
    expected = minimum_duration(hysteresis(probabilities.tolist(), 0.7, 0.4, background=0), frames=3)
    smoothing = Smoothing(frames=3, thresholds=(0.7, 0.4), background=0)
    for _ in range(2):
        assert [smoothing(row) for row in probabilities] == expected
        smoothing.restart()
    assert len(cut(expected)) > 3
    assert [Smoothing()(row) for row in probabilities] == probabilities.argmax(-1).tolist()


@pytest.mark.parametrize(
    ("frames", "thresholds", "message"),
    [
        (0, None, "at least 1 frame, got 0"),
        (1, (0.3, 0.6), "leaves at a lower one"),
        (1, (1.3, 0.6), r"both in \[0, 1\]"),
        (1, (0.3, -0.1), r"got \(0.3, -0.1\)"),
    ],
)
def test_settings_out_of_range_are_refused(frames: int, thresholds: tuple[float, float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Smoothing(frames, thresholds)


SEVERAL = LabelSet(("rest", "walk", "talk"), 0, multi_label=True)


def test_without_settings_every_class_is_shown_from_one_half_on() -> None:
    probabilities = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    smoothing = SeveralSmoothing(SEVERAL)
    shown = torch.stack([smoothing(row) for row in probabilities])
    assert torch.equal(shown, chosen_classes(probabilities, SEVERAL))


def test_each_class_comes_and_goes_by_itself() -> None:
    smoothing = SeveralSmoothing(SEVERAL, frames=2, thresholds=(0.7, 0.3))
    rows = [[0.0, 0.9, 0.1], [0.0, 0.4, 0.8], [0.0, 0.2, 0.8], [0.0, 0.2, 0.1], [0.0, 0.2, 0.1]]
    shown = [smoothing(torch.tensor(row)).nonzero().flatten().tolist() for row in rows]
    assert shown == [[1], [1], [1, 2], [2], [0]]
    smoothing.restart()
    assert smoothing(torch.tensor([0.0, 0.1, 0.9])).tolist() == [False, False, True]

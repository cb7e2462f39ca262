"""Expected losses of new videos stay at the level; levels that the videos cannot support are refused."""

from __future__ import annotations

import numpy as np
import pytest

from gad_lightning.decisions.risk import RiskControl, RiskOf, _controlled
from gad_lightning.decisions.thresholds import NEVER
from gad_lightning.errors import DataError, SettingError
from gad_lightning.rebuilding import rebuild
from tests.decisions.worlds import stirring


def test_the_expected_loss_of_a_new_video_stays_at_the_level() -> None:
    draw = np.random.default_rng(0)
    losses, level = [], 0.2
    grid = np.linspace(0, 1, 101)
    for _ in range(2000):
        thresholds = draw.beta(4, 2, size=21)  # a video is missed from its own threshold on
        found = _controlled((grid[None] > thresholds[:20, None]).astype(float), level, 1.0)
        assert found is not None
        losses.append(float(grid[found] > thresholds[20]))
    deviation = np.std(losses) / np.sqrt(len(losses))
    assert np.mean(losses) <= level + 2.6 * deviation
    assert np.mean(losses) >= level - 2 / 21 - 2.6 * deviation


def test_losses_that_fall_again_are_raised() -> None:
    losses = np.array([[0.0, 1.0, 0.0]] * 30)
    assert _controlled(losses, 0.1, 1.0) == 0


def test_no_choice_is_none() -> None:
    assert _controlled(np.ones((30, 4)), 0.5, 1.0) is None
    assert _controlled(np.zeros((8, 4)), 0.1, 1.0) is None
    assert _controlled(np.zeros((9, 4)), 0.1, 1.0) == 3


@pytest.mark.parametrize(("loss", "level", "largest"), [("missed", 0.1, 1.0), ("false_alarms", 30.0, 240.0)])
def test_a_stricter_level_moves_the_threshold_to_the_safe_side(loss: RiskOf, level: float, largest: float) -> None:
    seen = stirring(np.random.default_rng(0), videos=60)
    strict, loose = (RiskControl(loss, level * by, largest).fit(seen).enter[1] for by in (1.0, 3.0))
    assert (strict < loose) if loss == "missed" else (loose < strict)
    assert strict < NEVER


def test_it_holds_classes_and_is_recorded() -> None:
    found = RiskControl("missed", 0.2, hold=0.5).fit(stirring(np.random.default_rng(0), videos=40))
    assert found.enter[0] == NEVER
    assert found.leave[1] == pytest.approx(found.enter[1] / 2, abs=1e-6)
    assert rebuild(found.spec()).enter == found.enter


def test_a_level_that_the_videos_cannot_support_is_refused_with_what_is_enough() -> None:
    seen = stirring(np.random.default_rng(0), videos=18)
    with pytest.raises(DataError, match=r"level of 0\.05 .* needs 19 videos or more, got 18") as error:
        RiskControl("missed", 0.05).fit(seen)
    assert "0.0527 or more" in error.value.remedy


def test_a_classifier_that_misses_at_every_threshold_is_refused_with_its_level() -> None:
    seen = stirring(np.random.default_rng(0), videos=40)
    blind = seen._replace(scores=seen.scores * np.array([1.0, 0.0]))
    with pytest.raises(DataError, match=r"No threshold keeps missed at or below 0\.1: the safest one gives 1"):
        RiskControl("missed", 0.1).fit(blind)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "late"}, "loss is 'late'"),
        ({"level": 0.0}, "level must lie between 0"),
        ({"level": 1.5}, "level must lie between 0"),
        ({"largest": 2.0}, "at most 1, got largest=2.0"),
        ({"hold": 0.0}, "hold is a share"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        RiskControl(**settings)  # type: ignore[arg-type]  # wrong on purpose

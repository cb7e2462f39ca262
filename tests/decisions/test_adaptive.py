"""Label sets that are told the truth hold it as often as stated, whatever the stream does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from gad_lightning.decisions.adaptive import STEP, AdaptiveSets
from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.live import LiveDecisions
from gad_lightning.decisions.observed import Floats, Ints
from gad_lightning.decisions.path import Decisions
from gad_lightning.errors import SettingError
from gad_lightning.rebuilding import rebuild
from gad_lightning.schema import LabelSet
from tests.decisions.worlds import ar1, observed_of

LABELS = LabelSet(("rest", "stir", "pour", "salt"))
ERROR, LENGTH = 0.1, 1500


class World(NamedTuple):
    """Frames of several classes."""

    probabilities: Floats  # (F, 4)
    truth: Ints  # (F,)


def world(draw: np.random.Generator, frames: int, signal: float) -> World:
    """Slow probabilities, the more telling the larger the signal."""
    truth = np.repeat(draw.integers(4, size=frames // 20 + 1), 20)[:frames]
    logits = 1.5 * ar1(draw, (4, frames), 0.8).T + signal * (truth[:, None] == np.arange(4))
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return World(shares / shares.sum(1, keepdims=True), truth)


@pytest.fixture(scope="module")
def fitted() -> ConformalLabels:
    """Sets fitted to 30 videos of a telling world."""
    calm = world(np.random.default_rng(0), 3000, 4.0)
    return ConformalLabels(ERROR).fit(
        observed_of(calm.probabilities, calm.truth, np.repeat(np.arange(30), 100), LABELS)
    )


def share_missing(sets: ConformalLabels, made: World, told: bool) -> float:
    """Share of a stream's frames whose set lacks the truth, with or without feedback a frame later."""
    live = AdaptiveSets(sets, 4, 8, 1)
    missing = 0
    for frame, (row, label) in enumerate(zip(made.probabilities, made.truth.tolist(), strict=True)):
        live(row, frame, 0)
        missing += not live.given[0, frame % 8, label]
        if told:
            live.tell(label, frame, 0)
    return missing / len(made.truth)


@pytest.mark.parametrize("signal", [0.0, 1.0])
def test_after_a_shift_the_sets_that_are_told_keep_the_error_and_others_do_not(
    fitted: ConformalLabels, signal: float
) -> None:
    shifted = world(np.random.default_rng(1), LENGTH, signal)
    assert share_missing(fitted, shifted, told=False) > 2 * ERROR
    bound = ERROR + (ERROR + STEP) / (STEP * LENGTH)
    assert ERROR / 2 < share_missing(fitted, shifted, told=True) <= bound


def test_the_worst_stream_keeps_the_bound_too(fitted: ConformalLabels) -> None:
    for step in (0.005, 0.05, 1.0):
        live, missing = AdaptiveSets(fitted, 4, 1, 1), 0
        for frame in range(400):  # the truth is always a class that the set lacks, if it lacks one
            made = live(np.array([0.4, 0.3, 0.2, 0.1]), frame, 0)
            missing += not live.tell(int(made.argmin()), frame, 0, step)
        assert 0 < missing / 400 <= ERROR + (ERROR + step) / (step * 400)


def test_an_error_of_zero_holds_every_class_and_one_of_one_the_likeliest_alone(fitted: ConformalLabels) -> None:
    live, row = AdaptiveSets(fitted, 4, 2, 1), np.array([0.97, 0.01, 0.01, 0.01])
    for error, expected in ((0.0, 4), (-0.3, 4), (0.009, 4), (1.0, 1), (0.99, 1)):
        live.error[0] = error
        assert live(row, 0, 0).sum() == expected


def test_misfits_fall_with_the_error_and_hold_the_fitted_one(fitted: ConformalLabels) -> None:
    assert fitted.misfit_at(ERROR) == fitted.misfit == fitted.misfits[9]
    assert fitted.misfit_at(0.105) == fitted.misfits[9]
    assert fitted.misfit_at(0.02) == 1, "30 videos say nothing of an error of 0.02"
    assert list(fitted.misfits) == sorted(fitted.misfits, reverse=True)
    assert rebuild(fitted.spec()).misfits == fitted.misfits
    with pytest.raises(SettingError, match="misfits fall, one for each of 99 errors"):
        ConformalLabels(0.1, 0.5, [0.5, 0.4])


def test_a_frame_is_told_once_and_while_it_is_remembered(fitted: ConformalLabels) -> None:
    live, row = AdaptiveSets(fitted, 4, 3, 2), np.full(4, 0.25)
    for frame in range(5):
        live(row, frame, 1)
    with pytest.raises(SettingError, match=r"Frame 1 of stream 1 is not remembered .* the newest one is 4"):
        live.tell(0, 1, 1)
    for frame in (5, -1):
        with pytest.raises(SettingError, match=f"Stream 1 has no frame {frame}: it has shown frames 0 to 4"):
            live.tell(0, frame, 1)
    with pytest.raises(SettingError, match="Stream 0 has no frame 0: it has shown none"):
        live.tell(0, 0, 0)
    live.tell(0, 3, 1)
    with pytest.raises(SettingError, match="or was told before"):
        live.tell(0, 3, 1)
    live.restart(np.array([1]))
    with pytest.raises(SettingError, match="Stream 1 has no frame 4: it has shown none"):
        live.tell(0, 4, 1)
    assert live.error[1] != ERROR == live.error[0], "the error stays, of that stream alone"


def test_numbers_out_of_range_are_refused(fitted: ConformalLabels) -> None:
    live = AdaptiveSets(fitted, 4, 3, 1)
    live(np.full(4, 0.25), 0, 0)
    with pytest.raises(SettingError, match="There is no class 4"):
        live.tell(4, 0, 0)
    for step in (0.0, 1.5, float("nan")):
        with pytest.raises(SettingError, match="step must lie above 0, up to 1"):
            live.tell(0, 0, 0, step)
    with pytest.raises(SettingError, match="an earlier version fitted them for one error only"):
        AdaptiveSets(ConformalLabels(0.1, 0.5), 4, 3, 1)


def test_live_decisions_follow_and_without_feedback_they_are_those_of_the_whole_video(fitted: ConformalLabels) -> None:
    made = world(np.random.default_rng(2), 200, 2.0)
    decisions, mine = Decisions(LABELS, 4.0, sets=fitted), np.array([0])
    scores = np.log(made.probabilities)
    plain, live, told = (LiveDecisions(decisions, remembered=remembered) for remembered in (0, 8, 8))
    offline = decisions.sets(decisions.probabilities(scores, None)) if decisions.sets else None
    assert offline is not None
    larger = 0
    for frame in range(200):
        one, two, three = (each(scores[[frame]], mine)[0] for each in (plain, live, told))
        assert one.set == two.set == tuple(np.flatnonzero(offline[frame]).tolist())
        assert [event.set for event in one.started] == [one.set] * len(one.started)
        larger += len(three.set) > len(two.set)
        told.feedback(int(made.probabilities[frame].argmin()), frame)
    assert larger > 100
    with pytest.raises(SettingError, match="no frames are remembered"):
        plain.feedback(0, 0)
    with pytest.raises(SettingError, match="there are no label sets"):
        LiveDecisions(Decisions(LABELS, 4.0), remembered=8).feedback(0, 0)

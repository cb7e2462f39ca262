"""A class goes on and off by one rule, whole videos and live alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gad_lightning.decisions.switches import MinimumDuration, Switches, switched
from gad_lightning.errors import SettingError
from tests.decisions.rules import hysteresis


def on_of(values: list[float], enter: float, leave: float, frames: int = 1) -> list[int]:
    """When one class is on."""
    found = switched(np.array(values)[:, None], np.array([enter]), np.array([leave]), frames)
    return [int(on) for on in found[:, 0]]


def test_it_goes_on_and_off_after_as_many_frames() -> None:
    assert on_of([0.9, 0.1, 0.9, 0.9, 0.5, 0.1, 0.9, 0.1, 0.1], 0.8, 0.3, 2) == [0, 0, 0, 1, 1, 1, 1, 1, 0]


def test_of_one_frame_it_is_hysteresis() -> None:
    stir = np.random.default_rng(0).random(200).tolist()
    shown = hysteresis([(1 - share, share) for share in [0.0, *stir]], 1.0, 0.0)
    assert shown[0] == 0
    pairs = [(0.0, share) for share in stir]
    assert on_of(stir, 0.7, 0.3) == [int(label == 1) for label in hysteresis([(0.69, 0.0), *pairs], 0.7, 0.3, 0)[1:]]


def test_a_threshold_above_one_never_goes_on() -> None:
    assert on_of([1.0, 1.0], 2.0, 2.0) == [0, 0]


@given(
    rows=st.lists(st.tuples(*[st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])] * 3), max_size=40),
    frames=st.integers(1, 4),
    cuts=st.sets(st.integers(1, 39)),
)
def test_live_is_what_a_whole_video_gives(rows: list[tuple[float, ...]], frames: int, cuts: set[int]) -> None:
    enter, leave = np.array([0.8, 0.6, 0.4]), np.array([0.2, 0.6, 0.3])
    probabilities = np.array(rows).reshape(-1, 3)
    breaks = np.isin(np.arange(len(rows)), list(cuts))
    whole = switched(probabilities, enter, leave, frames, breaks)
    live, mine = Switches(enter, leave, frames, streams=2), np.array([1])
    for row, begins, expected in zip(probabilities, breaks, whole, strict=True):
        if begins:
            live.restart(mine)
        assert live(row[None], mine)[0].tolist() == expected.tolist()
    assert not live.on[0].any()


@given(values=st.lists(st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]), min_size=1, max_size=40), frames=st.integers(1, 3))
def test_a_lower_leave_only_joins_events(values: list[float], frames: int) -> None:
    high, low = (np.array(on_of(values, 0.7, leave, frames)) for leave in (0.7, 0.4))
    assert (low >= high).all()
    starts_high, starts_low = (np.flatnonzero(np.diff(on, prepend=0) == 1) for on in (high, low))
    assert set(starts_low) <= set(starts_high)


@pytest.mark.parametrize(("seconds", "frames"), [(0.0, 1), (0.25, 1), (0.26, 2), (0.3, 2), (1.0, 4)])
def test_a_duration_is_rounded_up_to_frames(seconds: float, frames: int) -> None:
    assert MinimumDuration(seconds).frames(4.0) == frames


def test_a_duration_is_not_below_zero() -> None:
    with pytest.raises(SettingError, match="0 seconds or more, got -1"):
        MinimumDuration(-1)

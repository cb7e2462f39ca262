"""The actions that are over, hand-checked."""

from __future__ import annotations

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.prompts.contexts.previous import PreviousActions
from tests.prompts.contexts.videos import A, B, C, told


@pytest.mark.parametrize(
    ("context", "label", "frame", "expected"),
    [
        pytest.param(PreviousActions(), C, 9, [C, A], id="the action just before, seen twice already"),
        pytest.param(PreviousActions(2), C, 9, [C, A, B], id="the most recent first"),
        pytest.param(PreviousActions(9), C, 9, [C, A, B, A], id="no more than there were"),
        pytest.param(PreviousActions(), 0, 7, [0, A], id="an action is over at its end frame"),
        pytest.param(PreviousActions(), A, 6, [A, B], id="one that goes on is not over"),
        pytest.param(PreviousActions(), A, 1, [A], id="nothing before"),
        pytest.param(PreviousActions(with_label=False), C, 9, [A], id="without the label"),
    ],
)
def test_what_is_told(context: PreviousActions, label: int, frame: int, expected: list[int | str]) -> None:
    assert told(context, label, frame) == expected


@pytest.mark.parametrize("number", [0, -1])
def test_no_action_at_all_is_refused(number: int) -> None:
    with pytest.raises(SettingError, match=f"num_actions must be at least 1, got {number}.*\n.*NoContext"):
        PreviousActions(number)


def test_it_states_room_for_all_its_actions() -> None:
    assert PreviousActions(3).longest(label=4, goal=9, comma=1) == 15

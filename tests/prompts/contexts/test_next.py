"""The actions to come, hand-checked."""

from __future__ import annotations

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.prompts.contexts.next import NextActions
from tests.prompts.contexts.videos import A, B, C, told


@pytest.mark.parametrize(
    ("context", "label", "frame", "expected"),
    [
        pytest.param(NextActions(), B, 4, [B, A], id="the next one"),
        pytest.param(NextActions(2), B, 4, [B, A, C], id="the nearest first"),
        pytest.param(NextActions(), C, 9, [C], id="nothing after"),
    ],
)
def test_what_is_told(context: NextActions, label: int, frame: int, expected: list[int | str]) -> None:
    assert told(context, label, frame) == expected


@pytest.mark.parametrize("number", [0, -1])
def test_no_action_at_all_is_refused(number: int) -> None:
    with pytest.raises(SettingError, match=f"num_actions must be at least 1, got {number}.*\n.*NoContext"):
        NextActions(number)


def test_it_states_room_for_all_its_actions() -> None:
    assert NextActions(3).longest(label=4, goal=9, comma=1) == 15

"""The published rule, hand-checked."""

from __future__ import annotations

import pytest

from gad_lightning.prompts.contexts.published_previous_action import PublishedPreviousAction
from tests.prompts.contexts.videos import A, B, C, told


@pytest.mark.parametrize(
    ("context", "label", "frame", "expected"),
    [
        pytest.param(PublishedPreviousAction(12), C, 9, [C, B], id="published: of A only the first occurrence counts"),
        pytest.param(PublishedPreviousAction(4), C, 9, [C, A], id="published: B lies outside the window"),
        pytest.param(PublishedPreviousAction(20), A, 6, [A, B], id="published: the class asked for never counts"),
    ],
)
def test_what_is_told(context: PublishedPreviousAction, label: int, frame: int, expected: list[int | str]) -> None:
    assert told(context, label, frame) == expected


def test_it_states_the_room_that_it_needs() -> None:
    assert PublishedPreviousAction(12).longest(label=4, goal=9, comma=1) == 5

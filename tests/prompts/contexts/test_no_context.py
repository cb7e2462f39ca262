"""The label alone."""

from __future__ import annotations

import pytest

from gad_lightning.prompts.contexts.no_context import NoContext
from tests.prompts.contexts.videos import C, told


@pytest.mark.parametrize(
    ("context", "label", "frame", "expected"),
    [
        pytest.param(NoContext(), C, 9, [C], id="the label alone"),
    ],
)
def test_what_is_told(context: NoContext, label: int, frame: int, expected: list[int | str]) -> None:
    assert told(context, label, frame) == expected


def test_it_states_the_room_that_it_needs() -> None:
    assert NoContext().longest(label=4, goal=9, comma=1) == 0

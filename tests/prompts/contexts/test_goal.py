"""The goal, hand-checked."""

from __future__ import annotations

import pytest

from gad_lightning.prompts.contexts.base import ContextQuery
from gad_lightning.prompts.contexts.goal import GoalContext
from tests.prompts.contexts.videos import A, C, told


@pytest.mark.parametrize(
    ("context", "label", "frame", "expected"),
    [
        pytest.param(GoalContext(), C, 9, [C, "make tea"], id="the goal"),
        pytest.param(GoalContext(with_label=False), C, 9, ["make tea"], id="the goal alone"),
    ],
)
def test_what_is_told(context: GoalContext, label: int, frame: int, expected: list[int | str]) -> None:
    assert told(context, label, frame) == expected


def test_a_goal_that_is_the_answer_is_not_written_twice() -> None:
    assert GoalContext().parts(ContextQuery(A, 0, [], "make tea", "make tea")) == [A]


def test_an_unknown_goal_is_not_written() -> None:
    assert GoalContext().parts(ContextQuery(A, 0, [], None)) == [A]


def test_it_states_the_room_that_it_needs() -> None:
    assert GoalContext().longest(label=4, goal=9, comma=1) == 10

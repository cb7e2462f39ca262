"""What an answer says beside the label."""

from __future__ import annotations

import pytest

from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery
from gad_lightning.prompts.contexts.goal import GoalContext
from gad_lightning.prompts.contexts.next import NextActions
from gad_lightning.prompts.contexts.no_context import NoContext
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.contexts.published_previous_action import PublishedPreviousAction
from gad_lightning.segments import Segment

A, B, C = 1, 2, 3
ABAC = [Segment(A, 0, 2), Segment(B, 3, 5), Segment(A, 5, 7), Segment(C, 8, 12)]


@pytest.mark.parametrize(
    ("context", "label", "frame", "expected"),
    [
        pytest.param(NoContext(), C, 9, [C], id="the label alone"),
        pytest.param(PreviousActions(), C, 9, [C, A], id="the action just before, seen twice already"),
        pytest.param(PublishedPreviousAction(12), C, 9, [C, B], id="published: of A only the first occurrence counts"),
        pytest.param(PublishedPreviousAction(4), C, 9, [C, A], id="published: B lies outside the window"),
        pytest.param(PublishedPreviousAction(20), A, 6, [A, B], id="published: the class asked for never counts"),
        pytest.param(PreviousActions(2), C, 9, [C, A, B], id="the most recent first"),
        pytest.param(PreviousActions(9), C, 9, [C, A, B, A], id="no more than there were"),
        pytest.param(PreviousActions(), 0, 7, [0, A], id="an action is over at its end frame"),
        pytest.param(PreviousActions(), A, 6, [A, B], id="one that goes on is not over"),
        pytest.param(PreviousActions(), A, 1, [A], id="nothing before"),
        pytest.param(PreviousActions(with_label=False), C, 9, [A], id="without the label"),
        pytest.param(NextActions(), B, 4, [B, A], id="the next one"),
        pytest.param(NextActions(2), B, 4, [B, A, C], id="the nearest first"),
        pytest.param(NextActions(), C, 9, [C], id="nothing after"),
        pytest.param(GoalContext(), C, 9, [C, "make tea"], id="the goal"),
        pytest.param(GoalContext(with_label=False), C, 9, ["make tea"], id="the goal alone"),
    ],
)
def test_hand_checked_contexts(context: AuxiliaryContext, label: int, frame: int, expected: list[int | str]) -> None:
    assert context.parts(ContextQuery(label, frame, ABAC, "make tea")) == expected


def test_a_goal_that_is_the_answer_is_not_written_twice() -> None:
    assert GoalContext().parts(ContextQuery(A, 0, [], "make tea", "make tea")) == [A]


def test_an_unknown_goal_is_not_written() -> None:
    assert GoalContext().parts(ContextQuery(A, 0, [], None)) == [A]

"""What AutoContext writes, reserves and records."""

from __future__ import annotations

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.prompts.contexts.auto import AutoContext, usual_contexts
from gad_lightning.prompts.contexts.base import ContextQuery
from gad_lightning.prompts.contexts.goal import GoalContext
from gad_lightning.prompts.contexts.next import NextActions
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.rebuilding import rebuild
from gad_lightning.segments import Segment

QUERY = ContextQuery(3, 12, [Segment(1, 0, 5), Segment(2, 5, 10), Segment(3, 10, 14), Segment(4, 20, 24)], "tea")


def test_the_label_is_written_alone_until_a_context_is_chosen() -> None:
    auto = AutoContext()
    auto.is_chosen_later = True
    assert auto.parts(QUERY) == [3]
    auto.chosen = NextActions()
    assert auto.parts(QUERY) == [3, 4]


def test_the_choice_is_recorded_and_made_again() -> None:
    auto = AutoContext([PreviousActions(2), GoalContext()])
    auto.chosen = PreviousActions(2)
    again = rebuild(auto.spec())
    assert isinstance(again, AutoContext)
    assert again.parts(QUERY) == [3, 2, 1]
    assert again.spec() == auto.spec()


def test_room_is_kept_for_the_longest_candidate() -> None:
    every = [context.longest(4, 7, 1) for context in usual_contexts(2, 1, goals=True)]
    assert AutoContext().longest(4, 7, 1) == max(every) == 13
    assert AutoContext([NextActions()]).longest(4, 7, 1) == 5


def test_a_list_of_something_else_and_no_label_are_refused() -> None:
    with pytest.raises(SettingError, match=r"contexts\[0\] of AutoContext must be an instance of AuxiliaryContext"):
        AutoContext(["previous"])  # type: ignore[list-item]  # a user's mistake
    with pytest.raises(SettingError, match="would write nothing in the first epoch"):
        AutoContext(with_label=False)

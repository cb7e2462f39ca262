"""Several contexts are written one after the other."""

from __future__ import annotations

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.prompts.contexts.goal import GoalContext
from gad_lightning.prompts.contexts.joined import JoinedContexts
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.rebuilding import rebuild
from tests.prompts.contexts.test_auto import QUERY


def test_the_label_comes_once_and_then_every_context() -> None:
    joined = JoinedContexts([PreviousActions(), GoalContext()])
    assert joined.parts(QUERY) == [3, 2, "tea"]
    assert joined.longest(4, 7, 1) == 5 + 8


def test_it_is_made_again_from_its_description() -> None:
    joined = JoinedContexts([PreviousActions(2), GoalContext()])
    again = rebuild(joined.spec())
    assert isinstance(again, JoinedContexts)
    assert again.context(QUERY) == [2, 1, "tea"]


def test_no_context_is_refused() -> None:
    with pytest.raises(SettingError, match="JoinedContexts needs a list of at least one context"):
        JoinedContexts([])

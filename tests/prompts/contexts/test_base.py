"""What a context of one's own gets and states."""

from __future__ import annotations

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery
from gad_lightning.prompts.contexts.joined import JoinedContexts
from tests.prompts.contexts.videos import C, told


class HowMany(AuxiliaryContext):
    """How many actions are over."""

    def context(self, query: ContextQuery) -> list[int | str]:
        """A number."""
        return [str(sum(segment.end <= query.frame for segment in query.segments))]


def test_the_label_stands_before_the_context_unless_told_otherwise() -> None:
    assert told(HowMany(), C, 9) == [C, "3"]
    assert told(HowMany(with_label=False), C, 9) == ["3"]


def test_a_context_that_states_nothing_has_room_for_a_class_and_a_goal() -> None:
    assert HowMany().longest(label=4, goal=9, comma=1) == 15


class Mistaken(AuxiliaryContext):
    """Gives what it was made with."""

    def __init__(self, given: object) -> None:
        super().__init__()
        self.given = given

    def context(self, query: ContextQuery) -> list[int | str]:
        """Anything."""
        return self.given  # type: ignore[return-value]  # a user's mistake


@pytest.mark.parametrize("given", [None, "begun", 3, [1.5], [None]])
def test_what_is_no_list_of_classes_and_strings_is_named(given: object) -> None:
    with pytest.raises(SettingError, match=r"Mistaken\.context gave .* for frame 9, which is no list of class indices"):
        told(JoinedContexts([Mistaken(given)]), C, 9)

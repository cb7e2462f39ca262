"""The previous actions."""

from __future__ import annotations

from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery, checked_number


class PreviousActions(AuxiliaryContext):
    """The actions that ended before this moment, the most recent first.

    The published code means the same and does another thing: it takes the *first* occurrences within the short window
    (see :class:`~gad_lightning.PublishedPreviousAction`).

    Args:
        num_actions: how many, at most; at least 1.
        with_label: see :class:`AuxiliaryContext`.
    """

    def __init__(self, num_actions: int = 1, with_label: bool = True) -> None:
        super().__init__(with_label)
        self.num_actions = checked_number(num_actions)

    def context(self, query: ContextQuery) -> list[int | str]:
        """Classes of the last segments that are over."""
        over = [segment.label for segment in query.segments if segment.end <= query.frame]
        return list(reversed(over[-self.num_actions :]))

    def longest(self, label: int, goal: int, comma: int) -> int:
        """As many classes as there may be."""
        return self.num_actions * (comma + label)

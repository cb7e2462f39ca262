"""The next actions."""

from __future__ import annotations

from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery, checked_number


class NextActions(AuxiliaryContext):
    """The actions that begin after this moment, the nearest first.

    Args:
        num_actions: how many, at most; at least 1.
        with_label: see :class:`AuxiliaryContext`.
    """

    def __init__(self, num_actions: int = 1, with_label: bool = True) -> None:
        super().__init__(with_label)
        self.num_actions = checked_number(num_actions)

    def context(self, query: ContextQuery) -> list[int | str]:
        """Classes of the first segments that are still to come."""
        coming = [segment.label for segment in query.segments if segment.start > query.frame]
        return list(coming[: self.num_actions])

    def longest(self, label: int, goal: int, comma: int) -> int:
        """As many classes as there may be."""
        return self.num_actions * (comma + label)

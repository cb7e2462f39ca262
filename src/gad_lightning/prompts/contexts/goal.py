"""The goal of the procedure."""

from __future__ import annotations

from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery


class GoalContext(AuxiliaryContext):
    """The goal that the video follows, as the paper's COIN models write it; nothing if unknown or the answer."""

    def context(self, query: ContextQuery) -> list[int | str]:
        """Name of the goal."""
        return [] if query.goal in (None, query.name) else [str(query.goal)]

    def longest(self, label: int, goal: int, comma: int) -> int:
        """The longest goal."""
        return comma + goal

"""No context: the answer is the label alone."""

from __future__ import annotations

from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery


class NoContext(AuxiliaryContext):
    """Adds nothing to the label, as the paper does on THUMOS'14."""

    def context(self, query: ContextQuery) -> list[int | str]:
        """Nothing."""
        return []

    def longest(self, label: int, goal: int, comma: int) -> int:
        """No token."""
        return 0

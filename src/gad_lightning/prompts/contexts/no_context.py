"""No context: the answer is the label alone."""

from __future__ import annotations

from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery


class NoContext(AuxiliaryContext):
    """Adds nothing to the label, as the paper does on THUMOS'14."""

    def context(self, moment: ContextQuery) -> list[int | str]:
        """Nothing."""
        return []

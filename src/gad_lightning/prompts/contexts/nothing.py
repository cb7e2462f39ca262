"""No context: the answer is the label alone."""

from __future__ import annotations

from gad_lightning.prompts.contexts.base import AuxiliaryContext, Moment


class Nothing(AuxiliaryContext):
    """Adds nothing to the label, as the paper does on THUMOS'14."""

    def context(self, moment: Moment) -> list[int | str]:
        """Nothing."""
        return []

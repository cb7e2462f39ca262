"""One new token a class: labels that share nothing."""

from __future__ import annotations

from collections.abc import Sequence

from gad_lightning.prompts.labels.base import LabelTokens
from gad_lightning.types import Vocabulary


class SingleTokenLabels(LabelTokens):
    """Writes each class as one new token outside the vocabulary.

    Source: Pang et al., ICLR 2026, extended vocabulary: this is discriminative classification in the head's clothes.
    """

    def tokens(self, names: Sequence[str], vocabulary: Vocabulary) -> list[list[int]]:
        """Reserve one token per name."""
        return [[vocabulary.new_token(f"<{name}>", written=True)] for name in names]

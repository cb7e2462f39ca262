"""Labels in their own words, as the paper's generative classifier writes them."""

from __future__ import annotations

from collections.abc import Sequence

from gad_lightning.prompts.labels.base import LabelTokens
from gad_lightning.types import Vocabulary


class WordLabels(LabelTokens):
    """Writes the class name with the language model's tokenizer, after a space."""

    def tokens(self, names: Sequence[str], vocabulary: Vocabulary) -> list[list[int]]:
        """Encode each name."""
        return [vocabulary.encode(f" {name}") for name in names]

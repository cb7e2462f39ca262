"""Labels in their own words, as the paper's generative classifier writes them."""

from __future__ import annotations

from collections.abc import Sequence

from gad_lightning.prompts.labels.base import LabelTokens
from gad_lightning.types import Vocabulary


class WordLabels(LabelTokens):
    """Writes the class name with the language model's tokenizer, after a space.

    Args:
        close_background: whether an answer that is the background alone is closed by the end token, as all others are.
            The paper's code leaves it open: what the language model writes after it is not learned.
    """

    def __init__(self, close_background: bool = True) -> None:
        self.close_background = close_background

    def tokens(self, names: Sequence[str], vocabulary: Vocabulary) -> list[list[int]]:
        """Encode each name."""
        return [vocabulary.encode(f" {name}") for name in names]

"""Labels in random words that still overlap as the names do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gad_lightning.prompts.labels.words import WordLabels
from gad_lightning.types import Vocabulary


class ShuffledLabels(WordLabels):
    """Writes the class names through one random map of their subwords: meaning goes, overlap stays.

    Args:
        seed: of the map.

    Source: Pang et al., ICLR 2026, consistent random mapping.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def tokens(self, names: Sequence[str], vocabulary: Vocabulary) -> list[list[int]]:
        """Replace every subword that the names use by another of them, the same one everywhere."""
        written = super().tokens(names, vocabulary)
        used = sorted({token for ids in written for token in ids})
        others = np.random.default_rng(self.seed).permutation(used).tolist()
        replaced = dict(zip(used, others, strict=True))
        return [[replaced[token] for token in ids] for ids in written]

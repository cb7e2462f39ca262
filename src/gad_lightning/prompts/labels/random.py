"""Labels of the names' lengths that share nothing."""

from __future__ import annotations

from collections.abc import Sequence

from gad_lightning.prompts.labels.words import WordLabels
from gad_lightning.types import Vocabulary


class RandomLabels(WordLabels):
    """Writes each class with as many tokens as its name has, all its own: the overlap goes, the length stays.

    The paper draws them from the vocabulary, where two classes may still meet by chance; ours are new tokens, so they
    never do.

    Source: Pang et al., ICLR 2026, independent random tokens.
    """

    def tokens(self, names: Sequence[str], vocabulary: Vocabulary) -> list[list[int]]:
        """Reserve new tokens for every place of every name."""
        return [
            [vocabulary.new_token(f"<{name} {place}>", written=True) for place in range(len(ids))]
            for name, ids in zip(names, super().tokens(names, vocabulary), strict=True)
        ]

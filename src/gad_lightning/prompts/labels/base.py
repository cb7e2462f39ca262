"""The contract of label tokens: one sequence of token ids per class."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from gad_lightning.parts import Part
from gad_lightning.types import Vocabulary


class LabelTokens(Part):
    """How the classes of a label set are written. A subclass gives :meth:`tokens`."""

    close_background: bool = True
    """Whether an answer that is the background alone is closed by the end token too."""

    @abstractmethod
    def tokens(self, names: Sequence[str], vocabulary: Vocabulary) -> list[list[int]]:
        """Token ids of every class, without an end token.

        Args:
            names: class names in the order of their indices.
            vocabulary: the backbone's; new tokens are reserved here.

        Returns:
            One sequence of at least one id per class, no two of them equal.
        """

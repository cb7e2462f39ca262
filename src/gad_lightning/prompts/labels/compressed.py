"""One or two new tokens a class, which know what they mean and are shared by classes that share words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

from gad_lightning.prompts.labels.base import LabelTokens
from gad_lightning.types import TextRow, Vocabulary


class CompressedLabels(LabelTokens):
    """Writes each class as one or two new tokens, those of its verb and of the rest of its name.

    They are shared: "add salt", "add sugar" and "stir sugar" take four. A class whose name begins others is one token,
    and the others are that token and the remainder. A name that shares no part is one token as a whole.

    The rows of these tokens are a learned projection of the embedding of their text, for what is read and for what is
    written one each. So labels are as short as :class:`SingleTokenLabels`, or nearly so, and like names begin alike.

    Args:
        tower: folder or hub name of a sentence encoder; None takes the language model as it came, see
            :class:`TextHead`.
        width: E, of the embeddings; written by checkpoints, which hold the embeddings, so that no tower is asked again.

    Source: Lin and Shou, VLog, CVPR 2025 (arXiv 2503.09402), vocabulary of narrations; which words share a token is
    our reading of it.
    """

    training_only: ClassVar[tuple[str, ...]] = ("tower",)  # the embeddings are in the checkpoint

    def __init__(self, tower: str | None = None, width: int | None = None) -> None:
        self.tower, self.width = tower, width
        self.vocabulary: Vocabulary | None = None

    def settings(self) -> dict[str, Any]:
        """Arguments to record: the width of the embeddings that a checkpoint holds, if an encoder made them."""
        made = None if self.vocabulary is None or self.tower is None else self.vocabulary.text_width
        return {**super().settings(), "width": made or self.width}

    def tokens(self, names: Sequence[str], vocabulary: Vocabulary) -> list[list[int]]:
        """Reserve a token for each part of each name."""
        self.vocabulary = vocabulary
        return [
            [vocabulary.new_token(part, written=True, text=TextRow(part, self.tower, self.width)) for part in parts]
            for parts in parts_of(names)
        ]


def parts_of(names: Sequence[str]) -> list[list[str]]:
    """Cut names into what they share: at the longest other name that they begin with, or after the first word.

    Example:
        >>> parts_of(["stir", "stir sugar", "add sugar", "add brown sugar", "wait here"])
        [['stir'], ['stir', 'sugar'], ['add', 'sugar'], ['add', 'brown sugar'], ['wait here']]
    """
    words = [tuple(name.split()) for name in names]
    whole = set(words)
    beginnings = [[name[:end] for end in range(1, len(name)) if name[:end] in whole] for name in words]
    prefixes = {prefix for found in beginnings for prefix in found}
    cut = []
    for name, found in zip(words, beginnings, strict=True):
        first = name if name in prefixes else [name[:1], *found][-1]
        cut.append([part for part in (first, name[len(first) :]) if part])
    count = Counter(part for parts in cut for part in parts)
    shared = [
        parts if any(count[part] > 1 for part in parts) else [name] for name, parts in zip(words, cut, strict=True)
    ]
    return [[" ".join(part) for part in parts] for parts in shared]

"""A vocabulary of letters, to be checked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gad_lightning.prompts.answers import AnswerWriter
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from gad_lightning.prompts.labels.words import WordLabels
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task


class Words26:
    """A vocabulary of lower-case letters: each is a token; new tokens follow."""

    size, begin, end = 32, 30, 31

    def __init__(self) -> None:
        self.new: list[str] = []

    def encode(self, text: str) -> list[int]:
        """Position in the alphabet; everything else is skipped."""
        return [ord(letter) - ord("a") for letter in text.lower() if "a" <= letter <= "z"]

    def decode(self, ids: Sequence[int]) -> str:
        """Letters of ids."""
        return "".join(chr(ord("a") + index) for index in ids)

    def new_token(self, name: str, written: bool = False) -> int:
        """Number after the alphabet."""
        if name not in self.new:
            self.new.append(name)
        return self.size + self.new.index(name)


def schema(names: tuple[str, ...] = ("background", "ab", "b"), tokens: int = 1) -> DataSchema:
    """One task."""
    return DataSchema((Task("action", LabelSet(names, 0)),), ("tea",), FeatureSpec("test", 4.0, 6, tokens))


def writer(labels: WordLabels | SingleTokenLabels | None = None, prefix: str = "", **more: Any) -> AnswerWriter:
    """Answers with the previous action."""
    return AnswerWriter(schema(**more), labels or WordLabels(), PreviousActions(), Words26(), prefix)

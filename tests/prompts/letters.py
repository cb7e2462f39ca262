"""A vocabulary of letters, to be checked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from gad_lightning.prompts.answers import Answer, AnswerWriter, stack
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from gad_lightning.prompts.labels.words import WordLabels
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from gad_lightning.types import Tokens


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


def render(opener: str, anchors: list[int], answers: list[list[int]] | None = None, **settings: Any) -> Tokens:
    """Three frames in one sample, the prompt is ``<s> q``."""
    settings.setdefault("question", "q")
    tokens_per_frame = settings.pop("tokens_per_frame", 1)
    begin = settings.pop("begin", None)
    prompt, vocabulary = Prompt(**settings), Words26()
    prompt.prepare(schema(tokens=tokens_per_frame), vocabulary, opener)
    written = None if answers is None else stack([Answer(ids) for ids in answers])
    zero = torch.zeros(1, dtype=torch.int64)
    sample = torch.zeros(len(anchors), dtype=torch.int64)
    start = None if begin is None else torch.tensor([begin])
    room = 3 if begin is None else 3 - begin
    return prompt.render(zero + 3, room, sample, torch.tensor(anchors), zero, written, start)

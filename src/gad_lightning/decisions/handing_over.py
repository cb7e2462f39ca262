"""When a stretch that stays unknown is put into words, how many tokens that may take, and what comes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gad_lightning.errors import SettingError


class WrittenText(NamedTuple):
    """What a language model wrote."""

    text: str
    log_probability: float  # of all its tokens together, the end token included if it was written


class HandedOver(NamedTuple):
    """A stretch that stayed unknown, told once."""

    start_seconds: float
    seconds: float  # of the frame at which it is told
    nearest: str  # likeliest known action at that frame
    score: float  # its probability, in [0, 1]
    slot: WrittenText | None  # written on from the slot; None if it was not asked for or no tokens were left
    base: WrittenText | None  # written by the language model as it was before training; None likewise
    tokens: int  # that both texts took


@dataclass(frozen=True)
class HandOver:
    """How stretches that stay unknown are put into words.

    Args:
        min_seconds: a stretch is told once it has stayed unknown for so long, above 0.
        tokens_per_minute: most tokens that are written in any minute of a stream. Where fewer are left than the texts
            of a stretch may take, the stretch is told without words.
        max_tokens: most tokens of a text; a longer one is cut.
        from_slot: write on from the slot, as the classifier learned to.
        from_base: let the language model answer ``question`` as it was before training: the LoRA is off meanwhile.
        question: that it then answers, in place of the prompt's.

    Raises:
        SettingError: if a number is out of range or not whole where it counts tokens, nothing is to be written, or a
            text never fits into a minute.
    """

    min_seconds: float = 2.0
    tokens_per_minute: int = 60
    max_tokens: int = 16
    from_slot: bool = True
    from_base: bool = True
    question: str = "What is the person doing in the last frame?"

    def __post_init__(self) -> None:
        """Check the settings."""
        if not 0 < self.min_seconds < math.inf:
            raise SettingError(f"min_seconds of HandOver must be above 0, got {self.min_seconds}.", "2 is usual")
        for name, value in (("max_tokens", self.max_tokens), ("tokens_per_minute", self.tokens_per_minute)):
            if type(value) is not int:
                raise SettingError(f"{name} of HandOver is {value!r}, and tokens are counted.", "give a whole number")
        if self.max_tokens < 1:
            raise SettingError(f"max_tokens of HandOver must be at least 1, got {self.max_tokens}.", "16 is usual")
        if not self.from_slot and not self.from_base:
            raise SettingError("from_slot and from_base of HandOver are both off: nothing is written.", "set one")
        if self.tokens_per_minute < self.most_tokens:
            raise SettingError(
                f"tokens_per_minute of HandOver is {self.tokens_per_minute}, and a stretch may take "
                f"{self.most_tokens}: nothing would ever be written.",
                "raise it, lower max_tokens, or leave one of both texts out",
            )

    @property
    def most_tokens(self) -> int:
        """Tokens that a stretch may take."""
        return self.max_tokens * (self.from_slot + self.from_base)

    def frames(self, fps: float) -> int:
        """Frames that a stretch must last."""
        return max(1, math.ceil(self.min_seconds * fps - 1e-6))


class TokenBudget:
    """Counts what some streams write, so that no minute of any of them holds more than is allowed.

    Args:
        per_minute: tokens.
        fps: frames a second.
        streams: S.
    """

    def __init__(self, per_minute: int, fps: float, streams: int = 1) -> None:
        self.per_minute, self.minute = per_minute, math.ceil(60 * fps)
        room = min(per_minute, self.minute)  # texts that a minute can hold
        self.frame = np.full((streams, room), -1 - self.minute)
        self.tokens = np.zeros((streams, room), dtype=np.int64)

    def left(self, stream: int, frame: int) -> int:
        """Tokens that a stream may write at a frame."""
        recent = self.frame[stream] > frame - self.minute
        return self.per_minute - int(self.tokens[stream][recent].sum())

    def spend(self, stream: int, frame: int, tokens: int) -> None:
        """Note what a stream has written at a frame; frames only go up."""
        if tokens:
            oldest = int(self.frame[stream].argmin())
            self.frame[stream, oldest], self.tokens[stream, oldest] = frame, tokens

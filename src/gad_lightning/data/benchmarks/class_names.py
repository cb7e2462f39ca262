"""How official class names become the words that a language model reads and writes."""

from __future__ import annotations

import re


def _split_capitals(name: str) -> str:
    """Write every capital letter as a space and its small letter, and strip: the published rule, nothing else changes.

    Example:
        >>> _split_capitals("CleanAndJerk"), _split_capitals("take wrap:plastic")
        ('clean and jerk', 'take wrap:plastic')
    """
    return re.sub("[A-Z]", lambda letter: f" {letter[0].lower()}", name).strip()


def clean_name(name: str) -> str:
    """Clean a class name of the online data sets: :func:`_split_capitals`, but ``BackGround`` is one word.

    Example:
        >>> clean_name("BackGround"), clean_name("BaseballPitch")
        ('background', 'baseball pitch')
    """
    return "background" if name == "BackGround" else _split_capitals(name)

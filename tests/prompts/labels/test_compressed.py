"""Which parts of names share a token."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gad_lightning.prompts.labels.compressed import CompressedLabels, parts_of
from gad_lightning.types import TextRow
from tests.prompts.letters import Words26


class WithTexts(Words26):
    """Letters, and the texts that new tokens were given."""

    text_width: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, TextRow | None] = {}

    def new_token(self, name: str, written: bool = False, text: TextRow | None = None) -> int:
        """Number after the alphabet."""
        self.texts[name] = text
        return super().new_token(name, written)


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["add salt", "add sugar", "stir sugar"], [["add", "salt"], ["add", "sugar"], ["stir", "sugar"]]),
        (["stir", "stir the pot"], [["stir"], ["stir", "the pot"]]),
        (["pick up", "pick up leg", "pick up top"], [["pick up"], ["pick up", "leg"], ["pick up", "top"]]),
        (["a", "a b", "a b c"], [["a"], ["a b"], ["a b", "c"]]),
        (["background", "wash hands"], [["background"], ["wash hands"]]),
        (["addition", "add"], [["addition"], ["add"]]),
    ],
    ids=["verbs and objects", "a name that begins another", "of two words", "twice", "nothing shared", "whole words"],
)
def test_names_are_cut_at_what_they_share(names: list[str], parts: list[list[str]]) -> None:
    assert parts_of(names) == parts


def tokens_of(names: Sequence[str]) -> list[list[int]]:
    """As a backbone would be asked."""
    return CompressedLabels().tokens(names, WithTexts())


def test_shared_parts_are_one_token() -> None:
    assert tokens_of(["add salt", "add sugar", "stir sugar"]) == [[32, 33], [32, 34], [35, 34]]


def test_no_two_names_are_written_alike() -> None:
    names = [" ".join(words.split()) for words in ("a b", "a", "a b c", "b c", "c", "b", "a c", "c b a", "b c a")]
    written = [tuple(ids) for ids in tokens_of(names)]
    assert len(set(written)) == len(names)
    assert {len(ids) for ids in written} == {1, 2}


def test_a_token_means_its_own_words() -> None:
    vocabulary = WithTexts()
    CompressedLabels("tower", 7).tokens(["add salt", "add sugar"], vocabulary)
    assert vocabulary.texts["add"] == TextRow("add", "tower", 7)
    assert vocabulary.texts["sugar"] == TextRow("sugar", "tower", 7)

"""Plain text is read, cut into blocks and laid out; what cannot be used is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.prompts.plain_text import followed, read_text, text_blocks, text_tokens
from gad_lightning.types import Kind, TextRow


class Letters:
    """A vocabulary of letters, whose texts begin with 1."""

    size, end, text_width = 200, 2, None

    def __init__(self, begin: int | None = 1) -> None:
        self.begin = begin

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def decode(self, ids: object) -> str:
        raise NotImplementedError

    def new_token(self, name: str, written: bool = False, text: TextRow | None = None) -> int:
        raise NotImplementedError


def test_a_text_is_cut_into_blocks_that_begin_alike_and_a_short_rest_is_dropped() -> None:
    blocks = text_blocks("abcdefg", Letters(), 4)
    assert blocks.tolist() == [[1, 97, 98, 99], [1, 100, 101, 102], [1, 103, -1, -1]]
    assert text_blocks("abcdefg", Letters(), 6).tolist() == [[1, 97, 98, 99, 100, 101], [1, 102, 103, -1, -1, -1]]
    assert text_blocks("abcdef", Letters(), 6).tolist() == [[1, 97, 98, 99, 100, 101]]
    assert text_blocks("ab", Letters(None), 6).tolist() == [[97, 98, -1, -1, -1, -1]]
    assert text_blocks("a", Letters(None), 6).shape == (0, 6)


def test_lines_that_are_encoded_apart_lose_nothing() -> None:
    text = "".join(f"line {number}\n" for number in range(300))
    ids = text_blocks(text, Letters(None), 10).flatten()
    assert "".join(map(chr, ids[ids >= 0].tolist())) == text


def test_texts_are_rows_of_their_own_whose_slot_is_the_last_token() -> None:
    tokens = text_tokens([[1, 5, 6], [1, 7]])
    assert tokens.slots.tolist() == [2, 4]
    assert tokens.ids.tolist() == [[1, 5, 6], [1, 7, 0]]
    assert tokens.places.kind[1].tolist() == [Kind.PROMPT, Kind.PROMPT, Kind.PAD]
    assert tokens.plain


def test_every_token_but_the_last_of_a_row_is_followed() -> None:
    places, following = followed(torch.tensor([[1, 5, 6], [1, 7, -1]]))
    assert places.tolist() == [0, 1, 3]
    assert following.tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, r"--text: there is no text file .*a\.txt"),
        (b" \n", r"a\.txt is empty"),
        (b"\xff\xfe1", "no text in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_it_is_for(
    content: bytes | None, what: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((DataError, MissingDataError), match=what):
        read_text(path, "--text")


def test_a_file_too_large_for_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(65 * 1024**2)
    with pytest.raises(DataError, match="has 68,157,440 bytes; 67,108,864 are the most"):
        read_text(path, "RememberText")

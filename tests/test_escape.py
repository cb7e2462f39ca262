"""Texts that would act where they are written come out as texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gad_lightning.escape import escape_csv, escape_markdown, escape_terminal, unescape_csv

NASTY = "\x1b]0;owned\x07\x1b[2J\r\n\u202e|=<img src=x onerror=alert(1)>![a](http://b)\x9b31m"


@given(st.text())
def test_a_cell_comes_back_as_it_was(text: str) -> None:
    assert unescape_csv(escape_csv(text)) == text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''=1"])
def test_no_cell_begins_as_a_formula(text: str) -> None:
    assert escape_csv(text).startswith("'")
    assert escape_csv(text) != text


@given(st.text())
def test_a_terminal_gets_no_control_characters(text: str) -> None:
    assert escape_terminal(text + NASTY).isprintable() or not (text + NASTY).replace("\x1b", "").isprintable()
    assert not {*"\x00\x07\x1b\r\n\x9b\u202e"} & set(escape_terminal(text + NASTY))


@given(st.text())
def test_markdown_gets_one_line_without_marks_of_its_own(text: str) -> None:
    written = escape_markdown(text + NASTY)
    assert not {*"\n\r<>\x1b\u2028"} & set(written)
    bare = written.replace("\\\\", "").split("|")
    assert all(part.endswith("\\") for part in bare[:-1])


def test_plain_words_stay_as_they_are() -> None:
    for escape in (escape_csv, escape_markdown, escape_terminal):
        assert escape("add salt, stir") == "add salt, stir"
        assert escape("\u00e4pfel \u5207\u308b") == "\u00e4pfel \u5207\u308b"


@pytest.mark.parametrize("mark", ["\u061c", "\u180e", "\u00ad", "\U000e0041"])
def test_invisible_marks_are_shown_and_left_out(mark: str) -> None:
    assert mark not in escape_terminal(f"stir{mark}pot")
    assert escape_markdown(f"stir{mark}pot") == "stir pot"


@pytest.mark.parametrize("begin", ["\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_wide_signs_and_line_ends_begin_no_formula(begin: str) -> None:
    assert escape_csv(f"{begin}1").startswith("'")
    assert unescape_csv(escape_csv(f"{begin}1")) == f"{begin}1"

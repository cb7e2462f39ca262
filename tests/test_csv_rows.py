"""Small CSV files that users write."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.csv_rows import read_rows, write_rows
from gad_lightning.errors import DataError, MissingDataError


def test_rows_come_with_their_line_and_rows_of_nothing_are_passed_over(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a, b\n1 ,2\n,\n3,4\n")
    assert list(read_rows(table, ("a", "b"), "")) == [(2, {"a": "1", "b": "2"}), (4, {"a": "3", "b": "4"})]


def test_a_missing_file_says_what_it_must_hold_and_what_else_helps(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError) as caught:
        list(read_rows(tmp_path / "none.csv", ("a", "b"), "leave it out"))
    assert caught.value.remedy == "write it with the header a,b, or leave it out"


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a\n1\n")
    with pytest.raises(DataError, match="has no column 'b'"):
        list(read_rows(table, ("a", "b"), ""))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", ("label", "text"), [("stir, slowly", 'a "spoon"'), ("öl", 2)])
    found = list(read_rows(tmp_path / "rows.csv", ("label", "text"), ""))
    assert [row for _, row in found] == [
        {"label": "stir, slowly", "text": 'a "spoon"'},
        {"label": "öl", "text": "2"},
    ]

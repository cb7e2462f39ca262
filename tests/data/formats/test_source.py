"""Annotation files as text, JSON, XML and tables."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from gad_lightning.data.formats import source
from gad_lightning.data.formats.source import Source, items, number, pair, text_of
from gad_lightning.errors import DataError, MissingDataError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_is_read_by_its_byte_order_mark(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes("rühren\r\nx".encode(encoding))
    assert Source(tmp_path / "x").text == "rühren\nx"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("rühren".encode("latin-1"), "is no text in UTF-8"),
        (b"PK\x03\x04\x00\xff", "is a spreadsheet or zip"),
        (b"PK\x03\x04", "is a spreadsheet or zip"),
        (b"a\x00b", "is no text"),
    ],
)
def test_what_is_no_text_is_refused(raw: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(raw)
    with pytest.raises(DataError, match=message):
        _ = Source(tmp_path / "x").text


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MOST_BYTES", 3)
    (tmp_path / "x").write_text("four")
    with pytest.raises(DataError, match=r"an annotation file may have.*\n.*in several files"):
        _ = Source(tmp_path / "x").text


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="There is no file"):
        _ = Source(tmp_path / "x").text


def test_values_of_json_are_taken_for_what_they_are() -> None:
    assert (number(True), number("x"), number(10**400)) == pytest.approx((math.nan,) * 3, nan_ok=True)
    assert pair([1, "2,5"]) == (1.0, 2.5)
    assert pair("no") == pytest.approx((math.nan, math.nan), nan_ok=True)
    assert (text_of(3), text_of(None), text_of(True), items({})) == ("3", "", "", [])

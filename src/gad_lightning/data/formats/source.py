"""An annotation file as text, JSON, XML or table: sizes are limited, XML is read without entities."""

from __future__ import annotations

import codecs
import csv
import json
import math
import re
from collections.abc import Mapping
from functools import cached_property
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

from gad_lightning.csv_rows import delimiter_of, seconds_of
from gad_lightning.errors import DataError, MissingDataError

MOST_BYTES = 2**28
"""Of an annotation file: 256 MiB."""
_ARROW = re.compile(r"\d[.,]\d{3}\s+-->\s+\d")
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_BINARY = {
    b"PK": "a spreadsheet or zip",
    b"\x1f\x8b": "compressed",
    b"SQLite": "a database",
    b"\xd0\xcf": "a spreadsheet",
}


class Source:
    """One file, read once and parsed as far as is asked.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def text(self) -> str:
        """What it holds, as UTF-8 or, with a byte order mark, UTF-16.

        Raises:
            MissingDataError: if there is no such file.
            DataError: if it is too large, or no text.
        """
        if not self.path.is_file():
            raise MissingDataError(f"There is no file {self.path}.", "check the path")
        size = self.path.stat().st_size
        if size > MOST_BYTES:
            raise DataError(
                f"{self.path} has {size / 2**20:,.0f} MiB, and an annotation file may have {MOST_BYTES / 2**20:.0f}.",
                "export the videos in several files",
            )
        raw = self.path.read_bytes()
        kind = next((kind for mark, kind in _BINARY.items() if raw.startswith(mark)), "")
        encoding = next((name for mark, name in _MARKS.items() if raw.startswith(mark)), "utf-8")
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.path} is {kind or f'no text in UTF-8: {error}'}.", "save or export it as UTF-8 text, or as CSV"
            ) from error
        if kind or "\x00" in text:
            raise DataError(f"{self.path} is {kind or 'no text'}.", "export it as text, such as CSV, JSON or XML")
        return text.replace("\r\n", "\n").replace("\r", "\n")

    @property
    def opening(self) -> str:
        """The first letter that is no space; empty if there is none."""
        return self.text.lstrip()[:1]

    @cached_property
    def json(self) -> object:
        """What a JSON file holds; None if it begins as none.

        Raises:
            DataError: if it is damaged.
        """
        if self.opening not in ("{", "["):
            return None
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{self.path} is no whole JSON file: {error}.", "export it again") from error

    @cached_property
    def xml(self) -> ElementTree.Element | None:
        """The root of an XML file; None if it begins as none.

        Raises:
            DataError: if it is damaged, or declares entities, which can grow without end or read other files.
        """
        if self.opening != "<":
            return None
        if "<!DOCTYPE" in self.text or "<!ENTITY" in self.text:
            raise DataError(
                f"{self.path} has a document type or entities, which are not read.", "export it again, or delete them"
            )
        try:
            return ElementTree.fromstring(self.text.lstrip())  # without entities nothing grows
        except (ElementTree.ParseError, ValueError) as error:
            raise DataError(f"{self.path} is no whole XML file: {error}.", "export it again") from error

    @cached_property
    def is_subtitles(self) -> bool:
        """Whether there is an arrow between two times with milliseconds."""
        return _ARROW.search(self.text) is not None

    @cached_property
    def table(self) -> list[list[str]]:
        """Cells of a CSV or TSV file, spaces around them taken away; empty if it is JSON, XML or subtitles.

        Raises:
            DataError: if a quote is not closed.
        """
        if self.opening in ("{", "[", "<", "") or self.is_subtitles:
            return []
        try:
            rows = csv.reader(StringIO(self.text), delimiter=delimiter_of(self.text), strict=True)
            return [[cell.strip() for cell in row] for row in rows]
        except csv.Error as error:
            raise DataError(f"{self.path} is no whole CSV file: {error}.", "close the quote") from error

    @property
    def header(self) -> list[str]:
        """The first row of a table, in small letters; empty if it is none."""
        return [cell.lower() for cell in self.table[0]] if self.table else []


def mapping(value: object) -> Mapping[str, object]:
    """An object of JSON, or an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Mapping[str, object]]:
    """The objects of a list of JSON."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def items(value: object) -> list[object]:
    """A list of JSON, or an empty one for what is none."""
    return value if isinstance(value, list) else []


def text_of(value: object) -> str:
    """A text or number of JSON as text; empty for what is neither."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def number(value: object) -> float:
    """A number, or a text that is one (``12,5``, ``0:01:02.5``), as seconds; nan for what is none.

    Example:
        >>> number(3), number("1:02,5"), number(None)
        (3.0, 62.5, nan)
    """
    if isinstance(value, str):
        return seconds_of(value)
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        return math.nan


def pair(value: object) -> tuple[float, float]:
    """The two numbers of a list of JSON; nan for what is missing."""
    both = [number(item) for item in items(value)[:2]]
    return both[0] if both else math.nan, both[1] if len(both) > 1 else math.nan

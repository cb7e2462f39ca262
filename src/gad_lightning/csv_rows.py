"""Small CSV files: every fault of those that users write is reported with file and line.

Texts are read as a person reads them: Unicode form NFC, one space between words and none around, nothing invisible.
"""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gad_lightning.atomic import atomic_write
from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.schema import ALIKE, alike, normalized

_DELIMITERS = ",;\t"
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)


def delimiter_of(text: str) -> str:
    r"""What stands between the values of a table, by its first line: a comma, a semicolon or a tab.

    Example:
        >>> delimiter_of("video;start;end;label\na;1,5;2,0;stir")
        ';'
    """
    first = re.sub('"[^"]*"', "", text.lstrip("\n").partition("\n")[0])
    return max(_DELIMITERS, key=first.count)


def seconds_of(text: str) -> float:
    """A time as people and spreadsheets write it: ``12.5``, ``12,5``, ``1:02.5`` or ``0:01:02,5``; nan if it is none.

    Example:
        >>> seconds_of("12,5"), seconds_of("0:01:02.5"), seconds_of("1.234,5"), seconds_of("1:75")
        (12.5, 62.5, nan, nan)
    """
    *whole, last = text.strip().split(":")
    if len(whole) > 2 or not _NUMBER.fullmatch(last) or not all(part.isdecimal() for part in whole):
        return math.nan
    seconds = float(last.replace(",", "."))
    if whole and not (0 <= seconds < 60 and all(int(part) < 60 for part in whole[1:])):
        return math.nan
    return seconds + sum(60.0**power * float(part) for power, part in enumerate(reversed(whole), 1))


def read_rows(path: Path, needed: Sequence[str], otherwise: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Read the rows of a CSV file with a line of column names; rows of nothing are passed over.

    Values are parted by commas, semicolons or tabs, whatever the first line has; the needed columns are found whatever
    their capitals. A file in UTF-16 needs its byte order mark.

    Args:
        path: of the file.
        needed: columns that it must have.
        otherwise: what else may help where the file is not there.

    Yields:
        Line in the file, from 1, and the values by column.

    Raises:
        MissingDataError: if there is no such file.
        DataError: naming what of the file cannot be read.
    """
    if not path.is_file():
        raise MissingDataError(f"{path} is not there.", f"write it with the header {','.join(needed)}, or {otherwise}")
    try:
        with path.open(newline="", encoding=_encoding_of(path)) as file:
            delimiter = delimiter_of(file.readline())
            file.seek(0)
            reader = csv.DictReader(file, restval="", skipinitialspace=True, strict=True, delimiter=delimiter)
            names = [normalized(name) for name in reader.fieldnames or ()]
            reader.fieldnames = [_named(name, needed, names) for name in names]
            _check_header(path, reader.fieldnames, needed)
            for row in reader:
                if None in row:
                    raise DataError(
                        f"{path}, line {reader.line_num}: it has more values than the first line has names.",
                        'put a label with commas in quotes: "stir, slowly"',
                    )
                values = {name: normalized(value) for name, value in row.items()}
                if any(values.values()):  # tables leave rows of commas behind
                    yield reader.line_num, values
    except csv.Error as error:
        where = f"{path}, line {reader.line_num + 1}"
        raise DataError(f"{where}: {error}.", "close the quote, or write a quote within quotes twice") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no CSV file in UTF-8: {error}.", "save it as UTF-8 text") from error


def _encoding_of(path: Path) -> str:
    """UTF-8, unless a byte order mark says UTF-16."""
    with path.open("rb") as file:
        start = file.read(2)
    return "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _named(name: str, needed: Sequence[str], names: Sequence[str]) -> str:
    """A column's name: that of a needed one which is not among the names but for its capitals."""
    return next((known for known in needed if known.casefold() == name.casefold() and known not in names), name)


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows under a line of column names."""
    with atomic_write(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _check_header(path: Path, found: Sequence[str], needed: Sequence[str]) -> None:
    twice = [name for name in dict.fromkeys(found) if name and found.count(name) > 1]
    if twice:
        raise DataError(
            f"{path} has {found.count(twice[0])} columns named {twice[0]!r}; its first line is {','.join(found)!r}.",
            "keep one of them, or rename the others",
        )
    for one, other in alike(name for name in found if name):
        raise DataError(
            f"{path} has the columns {one!r} and {other!r}, which differ by {ALIKE} only.",
            "keep one of them, or rename the other",
        )
    missing = [name for name in needed if name not in found]
    if missing:
        raise DataError(
            f"{path} has no column {missing[0]!r}; its first line is {','.join(found)!r}.",
            f"begin it with a line of column names, comma-separated: {','.join(needed)}",
        )

"""Small CSV files: every fault of those that users write is reported with file and line.

Texts are read as a person reads them: Unicode form NFC, one space between words and none around, nothing invisible.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gad_lightning.atomic import atomic_write
from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.schema import ALIKE, alike, normalized


def read_rows(path: Path, needed: Sequence[str], otherwise: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Read the rows of a CSV file with a line of column names; rows of nothing are passed over.

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
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="", skipinitialspace=True, strict=True)
            reader.fieldnames = [normalized(name) for name in reader.fieldnames or ()]
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

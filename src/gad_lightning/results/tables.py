"""How tables and facts are written and read: CSV that no spreadsheet computes, JSON, each file whole or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gad_lightning.atomic import atomic_write
from gad_lightning.errors import DataError
from gad_lightning.escape import escape_csv, unescape_csv
from gad_lightning.results.rows import Row


def write_csv(target: Path, rows: Iterable[Row], columns: Sequence[str]) -> None:
    """Write rows under a header, as they come, in UTF-8; None is an empty cell.

    A text that a spreadsheet would compute, such as ``=1+1``, gets a ``'`` before it; :func:`read_csv` removes it.
    """
    with atomic_write(target) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: escape_csv(cell) if isinstance(cell, str) else cell for name, cell in row.items()})


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file as texts; a cell that a row lacks is empty.

    Raises:
        DataError: if it is no CSV file in UTF-8.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, restkey="", restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV: {error}.", "make it again, or remove it") from error
    return [{name: unescape_csv(cell) for name, cell in row.items() if isinstance(cell, str)} for row in rows]


def write_json(target: Path, value: Mapping[str, object]) -> None:
    """Write facts as JSON in UTF-8."""
    with atomic_write(target) as part:
        part.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read facts from a JSON file.

    Raises:
        DataError: if it holds no JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: {error}.", "make it again, or remove it") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} holds a {type(found).__name__} in place of an object.", "make it again, or remove it")
    return found

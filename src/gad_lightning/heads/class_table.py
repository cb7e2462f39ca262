"""What a user says of classes beside their names: ``classes.csv``, one class a row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gad_lightning.csv_rows import read_rows
from gad_lightning.errors import DataError
from gad_lightning.schema import LabelSet

LABEL = "label"
"""Column of the class's name."""


def read_classes(path: Path, columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read ``label`` and further columns, one class a row.

    Returns:
        The further columns of each class, none of them empty.

    Raises:
        MissingDataError: if there is no such file.
        DataError: naming the line with an empty cell or a class that stands twice.
    """
    found: dict[str, tuple[str, ...]] = {}
    for line, row in read_rows(path, (LABEL, *columns), "leave the setting out"):
        empty = next((name for name in (LABEL, *columns) if not row[name]), None)
        if empty is not None:
            raise DataError(f"{path}, line {line}: {empty} is empty.", "fill it in, or leave the row out")
        if row[LABEL] in found:
            raise DataError(f"{path}, line {line}: the class {row[LABEL]!r} stands twice.", "keep one of its rows")
        found[row[LABEL]] = tuple(row[name] for name in columns)
    return found


def actions_of(labels: LabelSet) -> list[str]:
    """Names of the classes but for background and ignored ones, in order."""
    return [name for index, name in enumerate(labels.names) if index not in (labels.background, labels.ignore)]

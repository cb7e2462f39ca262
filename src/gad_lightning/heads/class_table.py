"""What a user says of classes beside their names: ``classes.csv``, one class a row."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from gad_lightning.csv_rows import read_rows
from gad_lightning.errors import DataError, SettingError
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


def check_known(given: Iterable[str], labels: LabelSet, setting: str) -> None:
    """Refuse a table none of whose classes is one of the head's, and a class without a row.

    Raises:
        SettingError: naming the first class that is missing, and what may be meant for it.
    """
    known = list(given)
    missing = next((name for name in actions_of(labels) if name not in known), None)
    if missing is None:
        return
    close = difflib.get_close_matches(missing, known, n=1)
    raise SettingError(
        f"{setting} says nothing of the class {missing!r}.",
        f"did you mean it by {close[0]!r}?" if close else "add it, one entry a class",
    )

"""The table that ``gad-lightning choose-context`` leaves in the folder of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gad_lightning.errors import DataError
from gad_lightning.results.tables import read_json, write_json

CONTEXTS = "contexts.json"
Band = tuple[float, float, float]
"""A value and its 95 % interval."""


class ContextRow(NamedTuple):
    """One context; information in nats."""

    name: str
    score: Band  # the smaller of the two below
    told: Band  # what the context tells of the label beside the slot
    shown: Band  # what the slot tells of the context


class ContextTable(NamedTuple):
    """All contexts, the best first; the label itself is the last row."""

    split: str
    videos: int
    chosen: str
    rows: tuple[ContextRow, ...]


def write_contexts(run: Path, found: ContextTable) -> Path:
    """Write the table; return its file."""
    target = run / CONTEXTS
    rows = [row._asdict() for row in found.rows]
    write_json(target, {"split": found.split, "videos": found.videos, "chosen": found.chosen, "contexts": rows})
    return target


def read_contexts(run: Path) -> ContextTable | None:
    """Read the table of a run; None if it has none.

    Raises:
        DataError: if the file is damaged.
    """
    path = run / CONTEXTS
    if not path.is_file():
        return None
    about = read_json(path)
    try:
        rows = tuple(
            ContextRow(str(row["name"]), *(_band(row[name]) for name in ContextRow._fields[1:]))
            for row in about["contexts"]
        )
        return ContextTable(str(about["split"]), int(about["videos"]), str(about["chosen"]), rows)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error!r}.", "remove it, or run gad-lightning choose-context") from error


def _band(given: Sequence[float]) -> Band:
    """Three numbers."""
    value, low, high = given
    return float(value), float(low), float(high)

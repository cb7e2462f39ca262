"""The table that ``gad-lightning fit-gate`` leaves in the folder of a run."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gad_lightning.errors import DataError
from gad_lightning.results.tables import read_json, write_json

GATE = "gate.json"


class GateRow(NamedTuple):
    """What one gate shows of videos, of which some frames are read whole."""

    name: str
    saved: float  # frames over frames read whole, at least 1
    segment_f1: float
    accuracy: float
    same: float  # share of the frames with the label that they would have had
    delay: float  # mean frames until a label that begins is shown


class GateTable(NamedTuple):
    """The chosen gate first, the stream without a gate second, then others, to compare."""

    split: str
    videos: int
    layers: int  # lowest layers that every frame is read by
    depth: int  # layers of the language model
    changes: int  # of the label within the videos, where every frame is read whole
    longest_wait: float  # seconds
    rows: tuple[GateRow, ...]


def write_gates(run: Path, found: GateTable) -> Path:
    """Write the table; return its file."""
    target = run / GATE
    write_json(target, {**found._asdict(), "rows": [row._asdict() for row in found.rows]})
    return target


def read_gates(run: Path) -> GateTable | None:
    """Read the table of a run; None if it has none.

    Raises:
        DataError: if the file is damaged.
    """
    path = run / GATE
    if not path.is_file():
        return None
    about = read_json(path)
    try:
        rows = tuple(
            GateRow(str(row["name"]), *(float(row[name]) for name in GateRow._fields[1:])) for row in about["rows"]
        )
        if not rows:
            raise ValueError("no rows")
        numbers = {name: int(about[name]) for name in ("videos", "layers", "depth", "changes")}
        return GateTable(str(about["split"]), **numbers, longest_wait=float(about["longest_wait"]), rows=rows)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{path} is damaged: {error!r}.", "remove it, or run gad-lightning fit-gate") from error

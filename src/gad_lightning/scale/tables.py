"""Tables of results in CSV or Parquet, a file a unit, and the one table that they are together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

from gad_lightning.atomic import atomic_write
from gad_lightning.errors import DataError
from gad_lightning.optional import need
from gad_lightning.results.rows import Row
from gad_lightning.results.tables import read_csv, write_csv

Format = Literal["csv", "parquet"]
WHOLE, REAL = ("frame", "start_frame", "end_frame"), ("seconds", "start_seconds", "end_seconds", "rejection")
"""Columns of whole numbers and of others; the rest are texts, but for the score, which can be either."""
WHY = "for Parquet files"
REPEAT = "delete the .json of its number in units, and give the predict command again"
"""The remedy for a table of a unit that was lost or damaged."""


def write_table(target: Path, rows: Iterable[Row], columns: Sequence[str], kind: Format) -> None:
    """Write rows under their names, the file whole or not at all; the same rows make the same bytes.

    Raises:
        SettingError: for Parquet, if pyarrow is not installed.
    """
    if kind == "csv":
        write_csv(target, rows, columns)
        return
    arrow, parquet = (need(name, extra="parquet", why=WHY) for name in ("pyarrow", "pyarrow.parquet"))
    table = list(rows)
    # where several labels are true the score is a text: one number each
    several = any(isinstance(row["score"], str) for row in table)
    kinds = dict.fromkeys(WHOLE, arrow.int64()) | dict.fromkeys(REAL, arrow.float64())
    kinds["score"] = arrow.string() if several else arrow.float64()
    schema = arrow.schema([(name, kinds.get(name, arrow.string())) for name in columns])
    with atomic_write(target) as part:
        parquet.write_table(arrow.Table.from_pylist(table, schema), part)


def read_table(path: Path) -> Iterator[Row]:
    """Rows of a file of :func:`write_table`; those of CSV are texts."""
    if path.suffix == ".csv":
        for row in read_csv(path):
            yield {**row}
        return
    parquet = need("pyarrow.parquet", extra="parquet", why=WHY)
    for batch in parquet.ParquetFile(path).iter_batches():
        yield from batch.to_pylist()


def join_tables(target: Path, parts: Iterable[Path], filled: bool = False) -> None:
    """Write one CSV file of the rows of many, in order, a part in memory at a time; none if no part has a row.

    Raises:
        DataError: if a part has other columns than the first one or, where all are ``filled``, no row.
    """
    rows = _rows(parts, filled)
    first = next(rows, None)
    if first is not None:
        write_csv(target, chain([first], rows), list(first))


def _rows(parts: Iterable[Path], filled: bool) -> Iterator[Row]:
    """Rows of parts that fit together."""
    columns: list[str] = []
    for part in parts:
        row: Row | None = None
        for row in read_table(part):
            columns = columns or list(row)
            if list(row) != columns:
                raise DataError(f"{part} is damaged: its columns are not {', '.join(columns)}.", REPEAT)
            yield row
        if filled and row is None:
            raise DataError(f"{part} is damaged: it has no row.", REPEAT)

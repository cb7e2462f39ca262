"""Tables a unit, and the one table that they are together."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from gad_lightning.results.rows import Row
from gad_lightning.scale.tables import Format, join_tables, read_table, write_table

ROWS: list[Row] = [
    {"video": "=a", "frame": 3, "seconds": 0.75, "label": "stir; pour", "score": 0.123457, "truth": None},
    {"video": "b", "frame": 0, "seconds": 0.0, "label": "'x", "score": 1.0, "truth": "stir"},
]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_joined_parts_are_the_one_table_of_their_rows(tmp_path: Path, kind: Format) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="needs the extra parquet")
    parts = [tmp_path / f"{number}.{kind}" for number in range(2)]
    for part, row in zip(parts, ROWS, strict=True):
        write_table(part, [row], list(row), kind)
    join_tables(tmp_path / "joined.csv", parts)
    write_table(tmp_path / "whole.csv", ROWS, list(ROWS[0]), "csv")
    assert (tmp_path / "joined.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    with (tmp_path / "joined.csv").open(newline="") as file:
        assert [row["video"] for row in csv.DictReader(file)] == ["'=a", "b"]


def test_parquet_keeps_numbers_and_makes_the_same_bytes_again(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra parquet")
    for name in ("one", "two"):
        write_table(tmp_path / f"{name}.parquet", ROWS, list(ROWS[0]), "parquet")
    assert list(read_table(tmp_path / "one.parquet")) == ROWS
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_without_rows_there_is_no_table(tmp_path: Path) -> None:
    write_table(tmp_path / "empty.csv", [], ["video"], "csv")
    join_tables(tmp_path / "joined.csv", [tmp_path / "empty.csv"])
    assert not (tmp_path / "joined.csv").exists()

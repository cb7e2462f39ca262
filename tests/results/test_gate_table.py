"""The table of gates in the folder of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.errors import DataError
from gad_lightning.results.gate_table import GATE, GateRow, GateTable, read_gates, write_gates


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_gates(tmp_path) is None
    made = GateTable("val", 12, 2, 16, 345, 5.0, (GateRow("EventGate 0.9", 3.5, 0.7, 0.8, 0.95, 0.25),))
    assert write_gates(tmp_path, made).name == GATE
    assert read_gates(tmp_path) == made


@pytest.mark.parametrize("text", ['{"rows": [{"name": "a"}]}', '{"split": "val", "rows": 3}', "{}"])
def test_a_damaged_one_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / GATE).write_text(text)
    with pytest.raises(DataError, match=r"gate.json is damaged"):
        read_gates(tmp_path)

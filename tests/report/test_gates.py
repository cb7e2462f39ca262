"""The section on what a gate saves, with names that would do harm if they could."""

from __future__ import annotations

from pathlib import Path

from gad_lightning.report.page import page_of
from gad_lightning.report.runs import read_run
from gad_lightning.results.gate_table import GateRow, GateTable, write_gates
from tests.report.making import NASTY, Checker, write_run


def page(run: Path) -> Checker:
    """The page of a run."""
    return Checker(page_of([read_run(run, run / "predictions")], "a title"))


def test_a_run_with_a_gate_shows_what_it_saves(tmp_path: Path) -> None:
    write_run(tmp_path, [0, 1, 1], [0, 1, 2], NASTY)
    assert "What a gate saves" not in page(tmp_path).said
    write_gates(tmp_path, GateTable("val", 12, 2, 16, 345, 5.0, (GateRow(NASTY[1], 3.5, 0.7, 0.8, 0.95, 0.25),)))
    found = page(tmp_path)
    assert not found.wrong
    said = found.said[found.said.index("What a gate saves", 300) :]
    for part in (
        NASTY[1],
        "3.500",
        "0.700",
        "0.250",
        "2 of 16 layers for every frame, 12 videos (val)",
        "changes 345 times",
    ):
        assert part in said

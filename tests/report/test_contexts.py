"""The section on what GAD could write, with names that would do harm if they could."""

from __future__ import annotations

from pathlib import Path

from gad_lightning.report.page import page_of
from gad_lightning.report.runs import read_run
from gad_lightning.results.context_table import ContextRow, ContextTable, write_contexts
from tests.report.making import NASTY, Checker, write_run


def page(run: Path) -> Checker:
    """The page of a run."""
    return Checker(page_of([read_run(run, run / "predictions")], "a title"))


def test_a_run_that_was_asked_shows_its_table(tmp_path: Path) -> None:
    write_run(tmp_path, [0, 1, 1], [0, 1, 2], NASTY)
    assert "What GAD could write" not in page(tmp_path).said
    row = ContextRow(NASTY[1], (0.123, 0.1, 0.15), (0.2, 0.1, 0.3), (0.123, 0.1, 0.15))
    write_contexts(tmp_path, ContextTable("val", 12, NASTY[1], (row,)))
    found = page(tmp_path)
    assert not found.wrong
    said = found.said[found.said.index("What GAD could write", 300) :]
    for part in (NASTY[1], "0.123 [0.100, 0.150]", "by 12 videos (val)", "shown by the slot"):
        assert part in said

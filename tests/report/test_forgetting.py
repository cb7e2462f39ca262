"""The section on forgetting: of the runs that were measured, and only those."""

from __future__ import annotations

from pathlib import Path

from gad_lightning.report.page import page_of
from gad_lightning.report.runs import read_run
from gad_lightning.results.forgetting import FOLDER, AtScale, Forgetting, write_forgetting
from tests.report.making import Checker, write_run

ROWS = (
    AtScale(0.0, {"segment_f1": 0.1}, {"kl_neutral": 0.0, "pairs": 0.8}),
    AtScale(0.5, {"segment_f1": 0.5}, {"kl_neutral": 0.1, "pairs": 0.75}),
    AtScale(1.0, {"segment_f1": 0.6}, {"kl_neutral": 0.4, "pairs": 0.5}),
)


def test_a_run_that_was_measured_has_lines_a_table_and_a_knee(tmp_path: Path) -> None:
    measured, other = (write_run(tmp_path / name, [0, 1, 1, 2], [0, 1, 1, 2]) for name in ("a", "b"))
    before = page_of([read_run(run, run / "predictions") for run in (measured, other)], "Title")
    (measured / FOLDER).mkdir()
    write_forgetting(measured / FOLDER, Forgetting("segment_f1", ROWS, {"adapter": 1200}))
    page = page_of([read_run(run, run / "predictions") for run in (measured, other)], "Title")
    assert "Forgetting" not in before
    read = Checker(page)
    assert not read.wrong
    assert "Forgetting" in read.said
    assert "Knee at the scale 0.5. Of 1,200 adapter." in read.said
    assert "minimal pairs" in read.said
    assert "questions" not in read.said.split("Forgetting")[-1].split("Speed")[0].split("KL on neutral text")[-1]

"""The operating curve says at every threshold what the metrics say, and names do no harm."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import pytest
import torch

from gad_lightning.metrics import AlarmCurve
from gad_lightning.metrics.functional.alarm_curve import THRESHOLDS
from gad_lightning.report.markup import written
from gad_lightning.report.merging import TaskOfRuns, collected
from gad_lightning.report.operating import START, operating
from gad_lightning.report.page import page_of
from gad_lightning.report.runs import read_run
from gad_lightning.report.style import PROGRAM
from tests.report.making import NASTY, Checker, write_run

SAID, TRUTH = [0, 1, 1, 2, 0, 2, 2, 3, 0, 1], [0, 1, 1, 1, 0, 2, 2, 0, None, 1]


def asked_of(folder: Path, runs: int = 1, per_frame: bool = True) -> TaskOfRuns:
    """Runs of ten frames; each says more of it right."""
    made = []
    for place in range(runs):
        said = [*(true or 0 for true in TRUTH[:place]), *SAID[place:]]
        run = write_run(folder / f"run{place}", said, TRUTH, per_frame=per_frame)
        made.append(read_run(run, run / "predictions"))
    return collected(made, "action")


def part_of(asked: TaskOfRuns) -> Element:
    """The section."""
    part = operating(asked, "")
    assert part is not None
    return part


def test_every_row_knows_what_the_metric_says_at_every_threshold(tmp_path: Path) -> None:
    asked = asked_of(tmp_path)
    found = asked.predictions[0]
    metric = AlarmCurve(4, fps=2.0)
    columns = (found.score, found.label, found.truth, found.video, found.frame)
    metric.update(*(torch.from_numpy(np.ascontiguousarray(column)) for column in columns))
    curve = metric.compute()
    rows = [json.loads(row.get("data-steps", "")) for row in part_of(asked).iter("tr") if row.get("data-steps")]
    assert len(rows) == 1 + 3
    for row in rows:
        assert len(row) == len(THRESHOLDS)
    for step, (alarms, recall, delay) in enumerate(rows[0]):
        assert float(alarms.replace(",", "")) == pytest.approx(float(curve.alarms[step]), abs=0.06)
        assert float(recall.rstrip("%")) == pytest.approx(100 * float(curve.recall[step]), abs=0.06)
        assert delay == ("-" if math.isnan(float(curve.delay[step])) else f"{float(curve.delay[step]):.2f}")
    assert rows[0][0] != rows[0][-1]


def test_what_is_shown_before_anything_is_moved_is_the_middle(tmp_path: Path) -> None:
    part = part_of(asked_of(tmp_path, runs=2))
    (slider,), (said,) = part.iter("input"), part.iter("output")
    assert (slider.get("value"), said.text) == (str(START), "0.5")
    assert slider.get("max") == str(len(THRESHOLDS) - 1)
    for row in part.iter("tr"):
        if steps := row.get("data-steps"):
            assert [cell.text for cell in row][1:] == json.loads(steps)[START]
    dots = [dot for dot in part.iter("circle") if dot.get("data-places")]
    assert len(dots) == 2 * 2
    for dot in dots:
        x, y = json.loads(dot.get("data-places", ""))[START]
        assert (float(dot.get("cx", "")), float(dot.get("cy", ""))) == (x, y)


def test_names_that_would_do_harm_are_text(tmp_path: Path) -> None:
    text = written(part_of(asked_of(tmp_path)))
    page = Checker(text)
    assert page.wrong == []
    assert not {"script", "b", "img"} & set(page.tags)
    for name in NASTY[1:3]:
        assert name in page.said


def test_clips_have_no_curve(tmp_path: Path) -> None:
    assert operating(asked_of(tmp_path, per_frame=False), "") is None


def test_the_page_has_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", SAID, TRUTH)
    page = Checker(page_of([read_run(run, run / "predictions")], "a title"))
    assert page.wrong == []
    assert "Operating curve" in page.said
    assert page.tags.count("input") == 1


DRIVER = """
const cells = [0, 1, 2, 3].map(() => ({textContent: ""})), dot = {style: {}, set: {}};
dot.setAttribute = (name, value) => { dot.set[name] = value; };
dot.dataset = {places: "[[1, 2], null]"};
const row = {cells, dataset: {steps: JSON.stringify([["a", "b", "c"], ["<i>", "e", "f"]])}};
const said = {}, slider = {value: "0", dataset: {thresholds: "0 0.5"}};
slider.addEventListener = (name, call) => { slider[name] = call; };
const part = {querySelector: (name) => ({input: slider, output: said})[name],
  querySelectorAll: (name) => ({"[data-steps]": [row], "[data-places]": [dot]})[name]};
const document = {querySelector: () => null, querySelectorAll: (name) => name === ".operating" ? [part] : []};
PROGRAM
const state = () => [said.textContent, ...cells.map((cell) => cell.textContent), dot.style.visibility, dot.set.cx];
const before = state();
slider.value = "1";
slider.input();
console.log(JSON.stringify([before, state()]));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="runs the page's program, which needs node")
def test_moving_the_slider_changes_rows_and_markers(tmp_path: Path) -> None:
    script = tmp_path / "driver.js"
    script.write_text(DRIVER.replace("PROGRAM", PROGRAM))
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, check=True)
    before, after = json.loads(done.stdout)
    assert before == ["0", "", "a", "b", "c", "visible", 1]
    assert after == ["0.5", "", "<i>", "e", "f", "hidden", 1]

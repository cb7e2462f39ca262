"""Sections of the page."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from gad_lightning.report.charts import Line
from gad_lightning.report.figures import _reaching, calibration, classes, confusions, curves, delays, states
from gad_lightning.report.merging import TaskOfRuns, collected
from gad_lightning.report.runs import RunTraces, read_run
from tests.report.making import write_run

NAMES = ("background", "stir", "pour")


@pytest.fixture
def run(tmp_path: Path) -> RunTraces:
    """Eight frames of one video."""
    folder = write_run(tmp_path / "run", [0, 1, 1, 0, 2, 2, 0, 0], [0, 1, 1, 0, 1, 1, 2, 2], NAMES, "tea")
    return read_run(folder, folder / "predictions")


@pytest.fixture
def task(run: RunTraces) -> TaskOfRuns:
    """Its scores."""
    return collected([run], "action")


def test_classes_are_ordered_by_how_often_they_are_true_and_have_bands(task: TaskOfRuns) -> None:
    text = "".join(classes(task, "").itertext())
    assert text.index("stir") < text.index("pour")
    assert "few (1-19)" in text
    assert "IoU 0.1" in text


def test_errors_are_listed(task: TaskOfRuns) -> None:
    text = "".join(confusions(task, "").itertext())
    assert "stirpour250%" in text


def test_delays_tell_what_was_never_found(task: TaskOfRuns) -> None:
    found = delays(task, "")
    assert found is not None
    assert "66.7%" in "".join(found.itertext())


def test_a_dot_is_a_bin_of_confidence_that_has_frames(task: TaskOfRuns) -> None:
    dots = list(calibration(task, "").iter("circle"))
    assert len(dots) == int((task.scores[0].calibration["frames"] > 0).sum())


def test_curves_have_a_chart_each(run: RunTraces) -> None:
    found = curves([run])
    assert found is not None
    assert {part.text for part in found.iter("figcaption")} == {"train/loss", "val/top1"}
    assert curves([run._replace(curves={})]) is None


def test_states_that_are_not_there_are_said(run: RunTraces) -> None:
    assert "--predict=always" in "".join(states([run], {}).itertext())


def test_ends_of_an_axis_hold_every_finite_value() -> None:
    lines = [Line("a", [(0.0, -1.0), (1.0, 3.0)], 0), Line("b", [(0.0, math.inf), (1.0, 2.0)], 1)]
    assert _reaching(lines) == (-1.0, 3.0)
    assert _reaching([]) == (0.0, 1.0)

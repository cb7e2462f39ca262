"""Strips of truth and predictions."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.report.timelines import colors, legend, strip, tracks_of
from gad_lightning.results.predictions import TaskPredictions, read_predictions
from gad_lightning.schema import LabelSet
from gad_lightning.segments import Segment
from tests.report.making import write_run

LABELS = LabelSet(("background", "stir"), 0)


@pytest.fixture
def predictions(tmp_path: Path) -> TaskPredictions:
    """Four frames at two a second, the third without truth."""
    run = write_run(tmp_path / "run", [0, 1, 1, 0], [0, 1, None, 1], LABELS.names, "tea")
    return read_predictions(run / "predictions")[1][0]


def test_truth_comes_first_and_unknown_truth_is_a_gap(predictions: TaskPredictions) -> None:
    truth, gad = tracks_of("tea", ["gad"], [predictions], [2.0])
    assert (truth.name, gad.name) == ("truth", "gad")
    assert truth.segments == [Segment(0, 0, 1), Segment(1, 1, 2), Segment(1, 3, 4)]
    assert gad.segments == [Segment(0, 0, 1), Segment(1, 1, 3), Segment(0, 3, 4)]
    assert tracks_of("soup", ["gad"], [predictions], [2.0]) == []


def test_rectangles_are_in_seconds(predictions: TaskPredictions) -> None:
    drawn = strip("tea", tracks_of("tea", ["gad"], [predictions], [2.0]), LABELS)
    places = [(rect.get("x"), rect.get("width"), rect.get("data-label")) for rect in drawn.iter("rect")]
    assert places[3:] == [("0", "0.5", "background"), ("0.5", "1", "stir"), ("1.5", "0.5", "background")]


def test_many_classes_are_folded_in_the_legend() -> None:
    names = LabelSet(tuple(f"c{number}" for number in range(50)))
    assert legend(names, range(50)).tag == "details"
    assert legend(names, range(5)).tag == "ul"


def test_the_background_is_gray_and_letters_stand_out() -> None:
    rules = colors(LABELS, [0, 1]).splitlines()
    assert "var(--rest)" in rules[0]
    assert rules[1].endswith(("{color:#111}", "{color:#fff}"))

"""The figures of the page are those of the metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gad_lightning.report.scores import score, worst_confusions
from gad_lightning.results.predictions import TaskPredictions, read_predictions
from tests.report.making import write_run

NAMES = ("background", "stir", "pour")


@pytest.fixture
def predictions(tmp_path: Path) -> TaskPredictions:
    """Six frames, two of them wrong, one without truth."""
    run = write_run(tmp_path / "run", [0, 1, 1, 0, 2, 2], [0, 1, 1, None, 1, 1], NAMES, "breakfast")
    return read_predictions(run / "predictions")[1][0]


def test_figures_of_frames(predictions: TaskPredictions) -> None:
    found = score(predictions, 2.0, None)
    assert found.frames == 5
    assert found.standard["top1"] == pytest.approx(3 / 5)
    assert found.confusion.tolist() == [[1, 0, 0], [0, 2, 2], [0, 0, 0]]
    assert found.delays.tolist() == [0.0, np.inf]
    assert found.segment is not None
    assert found.standard["segment_f1"] == pytest.approx(float(found.segment["f1"]))


def test_figures_of_clips_are_without_segments(predictions: TaskPredictions) -> None:
    clips = predictions._replace(task=predictions.task._replace(per_frame=False))
    found = score(clips, 2.0, None)
    assert (found.segment, found.delay) == (None, None)
    assert list(found.standard) == ["top1"]


def test_nothing_scored_is_no_number(predictions: TaskPredictions) -> None:
    unknown = predictions._replace(truth=np.full(6, -100))
    assert np.isnan(score(unknown, 2.0, None).standard["top1"])


def test_the_most_frequent_errors_come_first() -> None:
    confusion = np.array([[3, 1, 2], [0, 2, 0], [5, 0, 0]])
    assert worst_confusions(confusion, NAMES, limit=2) == [
        ("pour", "background", 5, 1.0),
        ("background", "pour", 2, pytest.approx(2 / 6)),
    ]

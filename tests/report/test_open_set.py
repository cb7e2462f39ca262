"""The section on unknown actions, with names that would do harm if they could."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from gad_lightning.errors import DataError
from gad_lightning.report.page import page_of
from gad_lightning.report.runs import read_run
from tests.report.making import NASTY, Checker, write_run

NAMES = (*NASTY, "unknown")
TRUTH = [0, 1, 1, 4, 4, 0, 2, 2, 4, 3]
SAID = [0, 1, 1, 4, 4, 0, 2, 4, 1, 3]


def write_open_run(folder: Path, rejects: bool = True, names: tuple[str, ...] = NAMES) -> Path:
    """A run whose truth has unknown actions; with a rejection, or not."""
    said = SAID if rejects else [1 if label == 4 else label for label in SAID]
    write_run(folder, said, TRUTH, names)
    path, about = folder / "predictions/frames.csv", folder / "predictions/about.json"
    if rejects:
        rows = list(csv.reader(path.open(newline="", encoding="utf-8")))
        scores = ["", -0.5, -0.2, 0.7, 0.9, "", -0.1, 0.2, -0.3, -0.6]
        nearest = [names[1 if label == 4 else label] for label in SAID]
        told = [["rejection", "nearest"], *zip(scores, nearest, strict=True)]
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([*row, *more] for row, more in zip(rows, told, strict=True))
    about.write_text(json.dumps({**json.loads(about.read_text()), "unknown": ["action"]}))
    return folder


def page(*runs: Path) -> Checker:
    """The page of some runs."""
    return Checker(page_of([read_run(run, run / "predictions") for run in runs], "a title"))


def test_a_run_that_rejects_has_a_section_of_unknown_actions(tmp_path: Path) -> None:
    found = page(write_open_run(tmp_path / "run"))
    assert not found.wrong
    said = found.said[found.said.index("Unknown actions", 300) :]
    assert "3 of known actions, 2 of actions that are none of the classes" in said
    for part in ("segment AUROC", "frame OSCR", "rejection", "called background", "unknown is nearest to"):
        assert part in said
    assert NASTY[1] in said, "as text"
    assert found.tags.count("script") == 1


def test_without_a_rejection_unknown_truth_is_ranked_by_probability_and_leaves_the_other_scores(tmp_path: Path) -> None:
    run = write_open_run(tmp_path / "run", rejects=False)
    found = read_run(run, run / "predictions")
    assert found.predictions[0].unknown == 4
    checked = page(run)
    assert "low probability" in checked.said
    assert "mean F1 of the kinds" not in checked.said
    assert "7 scored frames" in checked.said, "three of ten are of unknown actions"


def test_runs_of_both_kinds_stand_on_one_page(tmp_path: Path) -> None:
    found = page(write_open_run(tmp_path / "open"), write_open_run(tmp_path / "plain", rejects=False))
    assert not found.wrong
    assert "low probability" in found.said


def test_a_run_of_known_actions_has_no_such_section(tmp_path: Path) -> None:
    assert "Unknown actions" not in page(write_run(tmp_path / "run", [0, 1, 1], [0, 1, 2])).said


def test_classes_without_training_are_scored_beside_the_others(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [0, 1, 1, 2, 3], [0, 1, 1, 2, 2])
    about = run / "predictions/about.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "training": {"action": [0, 4, 0, 3]}}))
    said = page(run).said
    said = said[said.index("Classes without training", 300) :]
    assert "segment harmonic" in said
    assert "1.0001.0001.000" in said.replace("-", ""), "one segment each, and both right"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda text: text.replace("0.9", "many"), "has a cell that is no number"),
        (lambda text: text.replace("0.9", "nan"), "a rejection score is nan"),
    ],
)
def test_a_damaged_rejection_is_named(tmp_path: Path, change: object, named: str) -> None:
    path = write_open_run(tmp_path / "run") / "predictions/frames.csv"
    assert callable(change)
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(DataError, match=named):
        page(tmp_path / "run")


def test_a_mark_without_the_class_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [0, 1], [0, 1])
    about = run / "predictions/about.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "unknown": ["action"]}))
    with pytest.raises(DataError, match=r"about\.json is damaged: .* has no class 'unknown'"):
        page(run)

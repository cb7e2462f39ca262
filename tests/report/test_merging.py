"""One order of classes for several runs."""

from __future__ import annotations

from pathlib import Path

from gad_lightning.report.merging import collected, joined
from gad_lightning.report.runs import read_run
from gad_lightning.schema import LabelSet
from tests.report.making import write_run


def test_the_background_of_any_run_is_none_of_the_actions() -> None:
    plain, marked = LabelSet(("rest", "stir")), LabelSet(("stir", "rest"), 1)
    assert joined([plain, marked]) == LabelSet(("rest", "stir"), 0)


def test_classes_are_renumbered_and_bands_count_training_only_where_all_runs_know_it(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", [0, 1], [0, 1], ("background", "stir"))
    two = write_run(tmp_path / "two", [0, 2], [0, 2], ("background", "pour", "stir"))
    runs = [read_run(folder, folder / "predictions") for folder in (one, two)]
    task = collected(runs, "action")
    assert task.labels.names == ("background", "stir", "pour")
    assert [found.label.tolist() for found in task.predictions] == [[0, 1], [0, 1]]
    assert task.same_test
    assert task.scores[0].banded_by == "truth"
    counted = [run._replace(training={"action": [5] * len(run.predictions[0].task.labels.names)}) for run in runs]
    assert collected(counted, "action").scores[0].banded_by == "training"

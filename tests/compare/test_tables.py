"""Tables of a comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gad_lightning.compare.runs import Run, Variant
from gad_lightning.compare.tables import (
    Scored,
    by_variant,
    check_same_test,
    count_rows,
    difference_rows,
    differences,
    markdown,
    run_rows,
)
from gad_lightning.errors import DataError
from gad_lightning.results.predictions import TaskPredictions
from gad_lightning.schema import LabelSet, Task

TASK = Task("action", LabelSet(("rest", "stir"), 0))
NAME = "gad|=1 <b>"


def scored(name: str, seed: int, right: float) -> Scored:
    """A run of two videos of ten frames each."""
    counts = {"top1": np.array([[right, 10.0], [right, 10.0]])}
    value = {"top1": lambda summed: summed[..., 0] / summed[..., 1]}
    rows, zeros = np.arange(2), np.zeros(2, np.int64)
    predictions = TaskPredictions(TASK, ("a", "b"), rows, zeros, zeros, zeros, np.ones(2))
    result = {"fit_seconds": 1.0, "predict_seconds": 2.0, "commit": "abc", "hardware": "a machine", "threads": 1}
    run, units = Run(Variant(name, Path()), seed, Path(name) / str(seed)), {"top1": ("a", "b")}
    headings = {"top1": "Top-1"}
    return Scored(run, result, counts, value, headings, frozenset(counts), units, {"action": predictions})


def test_names_are_only_text_and_every_variant_has_a_row() -> None:
    runs = [scored(name, seed, 5 + number + seed) for number, name in enumerate(("disc", NAME)) for seed in (0, 1)]
    found = differences(by_variant(runs), margin=0.01, resamples=20)
    text = markdown(by_variant(runs), found, [runs[0].run])
    assert "| gad\\|=1 &lt;b&gt; | 2 | 0.650" in text
    assert "- disc, seed 0: see `disc/0/log.txt`" in text
    assert [row["variant"] for row in difference_rows("disc", found)] == [NAME]
    assert {row["metric"] for row in run_rows(runs)} == {"top1", "fit_seconds", "predict_seconds", "frames_per_second"}


def test_every_interval_can_be_drawn_anew_from_the_counts() -> None:
    rows = count_rows([scored("disc", 0, 7)])
    assert [(row["unit"], row["counts"]) for row in rows] == [("a", "7 10"), ("b", "7 10")]


def test_what_two_tests_do_not_share_is_said() -> None:
    one, other = scored("disc", 0, 7), scored("gad", 0, 7)
    theirs = other.predictions["action"]
    for changed, said in (
        (theirs._replace(videos=("a", "c")), "2 videos were tested in one run only, such as 'b'"),
        (theirs._replace(truth=np.array([0, 1])), "1 rows of 'action' have another true class"),
    ):
        with pytest.raises(DataError, match=said):
            check_same_test([one, other._replace(predictions={"action": changed})])
    check_same_test([one, other])


def test_a_score_that_a_run_does_not_have_is_left_out_of_the_differences() -> None:
    runs = [scored(name, seed, 5 + seed) for name in ("disc", "gad") for seed in (0, 1)]
    nothing = {"delay": np.zeros((2, 2))}
    runs = [
        run._replace(
            counts={**run.counts, **({"delay": run.counts["top1"]} if run.run.seed else nothing)},
            values={**run.values, "delay": run.values["top1"]},
            headings={**run.headings, "delay": "delay s"},
        )
        for run in runs
    ]
    with np.errstate(invalid="ignore"):
        found = differences(by_variant(runs), margin=0.01, resamples=20)
        text = markdown(by_variant(runs), found, [])
    assert list(found["gad"]) == ["top1"]
    assert "nan" in text
    assert "in all shares would take 3 seeds" in text or "in all shares would take 2 seeds" in text

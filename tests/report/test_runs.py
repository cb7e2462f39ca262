"""What the page knows of a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gad_lightning.errors import DataError
from gad_lightning.report.runs import read_run
from tests.report.making import write_run


def test_all_traces_of_a_run_are_read(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [0, 1], [0, None])
    np.savez(run / "predictions" / "states.npz", states=np.zeros((2, 3)), truth=[0, 1], label=[0, 0])
    about = json.loads((run / "predictions/about.json").read_text())
    more = {"training": {"action": [1, 2, 3, 4], "another": [1]}, "speed": {"frames a second": 9}}
    (run / "predictions/about.json").write_text(json.dumps({**about, **more}))
    read = read_run(run, run / "predictions")
    assert (read.name, read.classifier, read.fps) == ("run", "GADClassifier", 2.0)
    assert read.curves["val/top1"] == [(0.0, 0.25), (1.0, 0.5)]
    assert read.training == {"action": [1, 2, 3, 4]}
    assert read.speed == {"frames a second": 9.0}
    assert read.states is not None
    assert read.states.states.shape == (2, 3)


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"states": np.zeros((2, 3)), "truth": [0, 9], "label": [0, 0]}, id="a class too many"),
        pytest.param({"states": np.zeros((1, 3)), "truth": [0, 1], "label": [0, 0]}, id="a row too few"),
        pytest.param({"states": np.full((2, 3), np.nan), "truth": [0, 1], "label": [0, 0]}, id="not finite"),
        pytest.param({"truth": [0, 1], "label": [0, 0]}, id="a column too few"),
        pytest.param({"states": np.array([["a"]]), "truth": [0], "label": [0]}, id="words"),
    ],
)
def test_damaged_states_are_named(tmp_path: Path, columns: dict[str, object]) -> None:
    run = write_run(tmp_path / "run", [0, 1], [0, 1])
    np.savez(run / "predictions" / "states.npz", **columns)
    with pytest.raises(DataError, match=r"states\.npz is damaged.*\n.*--predict=always"):
        read_run(run, run / "predictions")

"""Folders of predictions: what is written comes back, and damage is named."""

from __future__ import annotations

import csv
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.results.predictions import read_predictions, write_predictions
from gad_lightning.results.rows import QueryColumns
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from gad_lightning.types import IGNORED

NAMES = ("background", "=HYPERLINK(1)", "-", "'tis \u5207\u308b", 'a|b\n"c"', "ambiguous")
SCHEMA = DataSchema((Task("action", LabelSet(NAMES, 0, 5)),), features=FeatureSpec(fps=2.0))
VIDEOS = ["z", "@a\x1b[2J"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Predictions of two videos, the first of which comes last by name."""
    video, frame = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 0, 1])
    label, truth = np.array([1, 2, 3, 4, 0]), np.array([1, 2, IGNORED, 4, 5])
    columns = QueryColumns(video, frame, video * 0, frame, label, np.full(5, 0.5, np.float32), truth)
    (tmp_path / "states.npz").write_bytes(b"of earlier predictions")
    write_predictions(tmp_path, columns, SCHEMA, VIDEOS, "GADClassifier")
    return tmp_path


def test_what_is_written_comes_back(folder: Path) -> None:
    about, (found,) = read_predictions(folder)
    assert (about.classifier, about.fps, about.tasks) == ("GADClassifier", 2.0, SCHEMA.tasks)
    assert found.task == SCHEMA.tasks[0]
    assert found.videos == tuple(sorted(VIDEOS))
    assert found.video.tolist() == [0, 0, 1, 1, 1]
    assert found.frame.tolist() == [0, 1, 0, 1, 2]
    assert found.label.tolist() == [4, 0, 1, 2, 3]
    assert found.truth.tolist() == [4, 5, 1, 2, IGNORED]
    assert found.score.tolist() == [0.5] * 5


def test_states_of_earlier_predictions_do_not_stay(folder: Path) -> None:
    assert not (folder / "states.npz").exists()


def test_no_cell_is_a_formula_and_the_json_has_the_names_as_they_are(folder: Path) -> None:
    for name in ("frames.csv", "segments.csv"):
        with (folder / name).open(newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    rows = json.loads((folder / "frames.json").read_text(encoding="utf-8"))
    assert [row["label"] for row in rows] == [NAMES[label] for label in (1, 2, 3, 4, 0)]


def test_predictions_of_a_long_video_are_written_as_they_come(tmp_path: Path) -> None:
    frame = np.arange(40_000)
    video, score = frame * 0, np.full(len(frame), 0.5, np.float32)
    columns = QueryColumns(video, frame, video, frame, frame // 4 % len(NAMES), score, video)
    tracemalloc.start()
    write_predictions(tmp_path, columns, SCHEMA, VIDEOS, "GADClassifier")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 400 * len(frame), "its rows together take more than 700 bytes each"
    assert len(json.loads((tmp_path / "frames.json").read_text(encoding="utf-8"))) == len(frame)


def test_without_about_the_rows_tell(folder: Path) -> None:
    (folder / "about.json").unlink()
    about, (found,) = read_predictions(folder)
    assert about.fps == 2.0
    assert found.task.labels == LabelSet(("background", *sorted({*NAMES} - {"background"})), 0)


def test_missing_predictions_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"no predictions at .*frames\.csv.*\n.*gad-lightning predict"):
        read_predictions(tmp_path)


HEAD = "video,task,frame,seconds,label,score,truth\n"
ROW = "z,action,0,0.0,background,0.5,background\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "it lacks rows", id="empty"),
        pytest.param(HEAD, "it lacks rows", id="a header"),
        pytest.param("epoch,step\n0,1\n", r"it lacks \['frame', 'label'", id="another table"),
        pytest.param(HEAD + ROW.replace(",0,", ",x,"), "a cell that is no number", id="no frame"),
        pytest.param(HEAD + ROW.replace(",0,", ",1e3,"), "a cell that is no number", id="a fraction"),
        pytest.param(HEAD + ROW.replace(",0,", f",{10**30},"), "a cell that is no number", id="a huge frame"),
        pytest.param(HEAD + ROW.replace(",0,", f",{10**12},"), "above 100000000", id="a late frame"),
        pytest.param(HEAD + ROW.replace(",0,", ",-1,"), "a frame below 0", id="a frame below 0"),
        pytest.param(HEAD + ROW.replace("0.5", "nan"), r"a score outside \[0, 1\]", id="no score"),
        pytest.param(HEAD + ROW.replace("0.5,background", "0.5,b"), "has the label 'b', which is none", id="label"),
        pytest.param(HEAD + ROW + ROW, "has frame 0 of 'z' twice", id="twice"),
        pytest.param(HEAD + ROW.replace("action", "verb"), "rows of the task 'verb'", id="another task"),
        pytest.param(HEAD + "z,action\n", "a cell that is no number", id="cut short"),
        pytest.param(HEAD + ROW + "\x00", "no number|cannot be read|rows of the task", id="zeros at the end"),
    ],
)
def test_damaged_frames_are_named(folder: Path, text: str, problem: str) -> None:
    (folder / "frames.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=rf"frames\.csv.*({problem}).*\nTo fix it: "):
        read_predictions(folder)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"fps": "four"}, id="fps is a word"),
        pytest.param({"fps": 0}, id="fps is 0"),
        pytest.param({"fps": float("inf")}, id="fps is infinite"),
        pytest.param({"tasks": []}, id="no task"),
        pytest.param({"tasks": [{"name": "action"}]}, id="a task without classes"),
        pytest.param({"tasks": 3}, id="tasks is a number"),
        pytest.param({"tasks": [{"name": "a", "names": "xy", "background": 5, "per_frame": True}]}, id="background"),
        pytest.param({"training": [1]}, id="training is a list"),
        pytest.param({"speed": {"x": None}}, id="speed is nothing"),
        pytest.param({"classifier": None, "tasks": None}, id="nothing"),
    ],
)
def test_a_damaged_about_is_named(folder: Path, change: dict[str, object]) -> None:
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    (folder / "about.json").write_text(json.dumps({**about, **change}))
    with pytest.raises(DataError, match=r"about\.json is damaged"):
        read_predictions(folder)


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b"\xff\x00", b"[" * 100_000, b""])
def test_an_about_that_is_no_json_is_named(folder: Path, content: bytes) -> None:
    (folder / "about.json").write_bytes(content)
    with pytest.raises(DataError, match=r"about\.json (is damaged|holds a)"):
        read_predictions(folder)

"""What a run left on the disk: predictions, curves, config, states; read without its classifier."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from gad_lightning.classifiers.predictions import ABOUT
from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.schema import LabelSet, Task
from gad_lightning.types import IGNORED

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
STATES = "states.npz"


class Told(NamedTuple):
    """What was said of one task: N rows, ordered by video and frame."""

    task: Task
    videos: tuple[str, ...]
    video: Ints  # (N,) index into videos
    frame: Ints  # (N,)
    label: Ints  # (N,) class said
    truth: Ints  # (N,) true class, or IGNORED
    score: Floats  # (N,) probability of the class said, in [0, 1]


class States(NamedTuple):
    """Slot states of some of the first task's frames."""

    states: Floats  # (M, H)
    truth: Ints  # (M,) true class
    label: Ints  # (M,) class said


class Run(NamedTuple):
    """One run, as far as it left traces."""

    name: str
    classifier: str
    fps: float
    told: tuple[Told, ...]
    curves: dict[str, list[tuple[float, float]]]  # per metric, (epoch or step, value)
    config: str  # text of config.yaml
    training: dict[str, list[int]]  # per task, training segments of each class; empty if unknown
    speed: dict[str, float]  # such as "frames a second"
    states: States | None


def predictions_of(run: Path) -> Path | None:
    """Folder of a run's predictions: its own, or the newest that ``predict`` made with one of its checkpoints."""
    for folder in (run / "predictions", run):
        if (folder / "frames.csv").is_file():
            return folder
    made = [path.parent for path in run.parent.glob("*/predictions/frames.csv") if _belongs(path.parents[1], run)]
    return max(made, key=lambda folder: (folder / "frames.csv").stat().st_mtime_ns, default=None)


def _belongs(other: Path, run: Path) -> bool:
    """Whether another run's config names a checkpoint of this one."""
    used = settings_of(other).get("ckpt_path")
    return isinstance(used, str) and run.resolve() in Path(used).resolve().parents


def settings_of(run: Path) -> dict[str, Any]:
    """The config of a run; empty if it has none that can be read."""
    path = run / "config.yaml"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no config: {error}.", "remove it, or give another run") from error
    return found if isinstance(found, dict) else {}


def read_run(run: Path, predictions: Path) -> Run:
    """Read all that a run left.

    Args:
        run: its folder.
        predictions: folder of ``frames.csv``.

    Raises:
        MissingDataError: if there are no predictions.
        DataError: if a file is damaged.
    """
    rows = _read_frames(predictions / "frames.csv")
    about = read_about(predictions / ABOUT)
    tasks, fps = _tasks_of(rows, about)
    config = run / "config.yaml"
    model = settings_of(run).get("model")
    path = model.get("class_path") if isinstance(model, dict) else model
    path = path or about.get("classifier", run.name)
    return Run(
        name=run.name,
        classifier=str(path).rpartition(".")[2],
        fps=fps,
        told=tuple(told(task, [row for row in rows if row["task"] == task.name]) for task in tasks),
        curves=_read_curves(run / "metrics.csv"),
        config=config.read_text(encoding="utf-8") if config.is_file() else "",
        training=about.get("training", {}),
        speed=about.get("speed", {}),
        states=_read_states(predictions / STATES),
    )


def _read_frames(path: Path) -> list[dict[str, str]]:
    """Rows of ``frames.csv``.

    Raises:
        MissingDataError: if it is not there.
        DataError: if it lacks a column or has no row.
    """
    if not path.is_file():
        raise MissingDataError(f"There are no predictions at {path}.", "run gad-lightning predict first")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or {"video", "task", "frame", "seconds", "label", "score", "truth"} - set(rows[0]):
        raise DataError(f"{path} holds no predictions.", "make it again with gad-lightning predict")
    return rows


def read_about(path: Path) -> dict[str, Any]:
    """What is written beside predictions; empty where an earlier version wrote them.

    Raises:
        DataError: if the file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}.", "make the predictions again") from error
    return found


def _tasks_of(rows: Sequence[dict[str, str]], about: dict[str, Any]) -> tuple[list[Task], float]:
    """Tasks and frames a second: as stated, else as far as the rows tell."""
    if about:
        stated = [
            Task(task["name"], LabelSet(tuple(task["names"]), task["background"]), task["per_frame"])
            for task in about["tasks"]
        ]
        return stated, float(about["fps"])
    names: dict[str, set[str]] = {}
    for row in rows:
        names.setdefault(row["task"], set()).update({row["label"], row["truth"]} - {""})
    found = []
    for task, classes in names.items():
        ordered = (*(name for name in ("background",) if name in classes), *sorted(classes - {"background"}))
        found.append(Task(task, LabelSet(ordered, 0 if "background" in classes else None)))
    fps = next((int(row["frame"]) / float(row["seconds"]) for row in rows if float(row["seconds"]) > 0), 1.0)
    return found, round(fps, 3)


def told(task: Task, rows: Sequence[dict[str, str]]) -> Told:
    """Columns of one task's rows.

    Raises:
        DataError: if a label is none of the classes.
    """
    videos = tuple(dict.fromkeys(row["video"] for row in rows))
    number = {name: index for index, name in enumerate(videos)}
    index = {name: place for place, name in enumerate(task.labels.names)}
    try:
        label = [index[row["label"]] for row in rows]
        truth = [index[row["truth"]] if row["truth"] else IGNORED for row in rows]
    except KeyError as error:
        raise DataError(f"The label {error} is none of the classes.", "make the predictions again") from error
    video, frame = [number[row["video"]] for row in rows], [int(row["frame"]) for row in rows]
    order = np.lexsort((frame, video))

    def column(values: Sequence[int]) -> Ints:
        return np.array(values, dtype=np.int64)[order]

    score = np.array([float(row["score"]) for row in rows])[order]
    return Told(task, videos, column(video), column(frame), column(label), column(truth), score)


def _read_curves(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Per metric of ``metrics.csv`` its values by epoch (the mean of an epoch's)."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, dict[float, list[float]]] = {}
    for row in rows:
        for name, value in row.items():
            if value and row.get("epoch") and name.startswith(("train/", "val/")):
                found.setdefault(name, {}).setdefault(float(row["epoch"]), []).append(float(value))
    return {name: [(epoch, float(np.mean(many))) for epoch, many in values.items()] for name, values in found.items()}


def _read_states(path: Path) -> States | None:
    """Slot states, if the predictions have any."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as stored:
        return States(stored["states"].astype(np.float64), stored["truth"], stored["label"])

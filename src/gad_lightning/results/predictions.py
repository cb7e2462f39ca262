"""A folder of predictions: frames.csv and .json, segments.csv and .json, and about.json, which names the classes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gad_lightning.atomic import atomic_write
from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.results.rows import (
    FRAME_COLUMNS,
    NOTHING,
    Floats,
    Ints,
    QueryColumns,
    Row,
    frame_columns,
    frame_rows,
    segment_columns,
    segment_rows,
)
from gad_lightning.results.several import single_labels
from gad_lightning.results.tables import read_csv, read_json, write_csv, write_json
from gad_lightning.results.unknown_actions import rejection_of
from gad_lightning.schema import SEPARATOR, UNKNOWN, DataSchema, LabelSet, Task
from gad_lightning.types import IGNORED

ABOUT, FRAMES, SEGMENTS, STATES = "about.json", "frames.csv", "segments.csv", "states.npz"
LAST_FRAME = 10**8
"""No video has a later frame: a larger number is damage."""
_AGAIN = "make the predictions again with gad-lightning predict"


class About(NamedTuple):
    """What is written beside predictions."""

    classifier: str  # name of its class
    fps: float  # frames a second
    tasks: tuple[Task, ...]
    training: dict[str, list[int]]  # per task, training segments of each class; empty if unknown
    speed: dict[str, float]  # such as "frames a second"; empty if not measured
    groups: Mapping[str, str] = MappingProxyType({})  # of videos that share a person or place; others are left out
    unknown: tuple[str, ...] = ()  # tasks whose last class "unknown" means an action of no class
    checkpoint: str = ""  # name of the file that predicted; empty if unknown


class TaskPredictions(NamedTuple):
    """What was predicted for one task: N rows, ordered by the video's name and by frame."""

    task: Task
    videos: tuple[str, ...]
    video: Ints  # (N,) index into videos, ascending
    frame: Ints  # (N,) ascending within a video
    label: Ints  # (N,) predicted class
    truth: Ints  # (N,) true class, or IGNORED
    score: Floats  # (N,) probability of the predicted class, in [0, 1]
    labels: NDArray[np.bool_] | None = None  # (N, C) predicted classes, where several can be true
    truths: NDArray[np.int8] | None = None  # (N, C): 1 true, 0 not true, -1 unknown
    unknown: int | None = None  # the class that means an action of none of the others
    rejection: Floats | None = None  # (N,) above 0 where unknown, -inf where it cannot be; None if not asked
    nearest: Ints | None = None  # (N,) likeliest known class, with the rejection

    def same_test(self, other: TaskPredictions) -> bool:
        """Whether another run was asked at the same frames of the same videos, with the same true classes."""
        columns = [(self.video, other.video), (self.frame, other.frame)]
        if self.truths is not None and other.truths is not None:
            true = np.array_equal(self.truths, other.truths)
        else:
            true = np.array_equal(self.truth, other.truth)
        return self.videos == other.videos and true and all(np.array_equal(own, theirs) for own, theirs in columns)


def write_predictions(
    folder: Path,
    columns: QueryColumns,
    schema: DataSchema,
    names: Sequence[str] | None,
    classifier: str,
    groups: Mapping[str, str] = MappingProxyType({}),
    unknown: tuple[str, ...] = (),
    checkpoint: str = "",
) -> None:
    """Write the files of a folder of predictions, each whole or not at all; states of earlier ones are removed.

    Args:
        folder: exists.
        columns: each key once, in order.
        schema: gives class and task names and frames a second.
        names: of the videos by global number; the numbers themselves if None.
        classifier: name of its class.
        groups: of videos that share a person or place.
        unknown: tasks whose last class means an action of no class.
        checkpoint: name of the file that predicted.
    """
    (folder / STATES).unlink(missing_ok=True)
    made = ((FRAMES, frame_columns(columns), frame_rows), (SEGMENTS, segment_columns(columns), segment_rows))
    for name, header, rows_of in made:
        write_csv(folder / name, rows_of(columns, schema, names), header)
        _write_json_rows((folder / name).with_suffix(".json"), rows_of(columns, schema, names))
    about = About(classifier, schema.features.fps, schema.tasks, {}, {}, dict(groups), unknown, checkpoint)
    write_about(folder, about)


def write_about(folder: Path, about: About) -> None:
    """Write what a reader of the predictions must know."""
    tasks = [{"name": task.name, **task.labels._asdict(), "per_frame": task.per_frame} for task in about.tasks]
    optional = ("training", "speed", "groups", "unknown", "checkpoint")
    known = {name: value for name, value in about._asdict().items() if name not in optional or value}
    write_json(folder / ABOUT, {**known, "tasks": tasks, **({"groups": dict(about.groups)} if about.groups else {})})


def read_about(folder: Path) -> About | None:
    """What is written beside predictions; None where an earlier version wrote them.

    Raises:
        DataError: if the file is damaged.
    """
    path = folder / ABOUT
    if not path.is_file():
        return None
    found = read_json(path)
    try:
        tasks = tuple(
            Task(
                str(task["name"]),
                LabelSet(
                    tuple(map(str, task["names"])),
                    _index(task, "background"),
                    _index(task, "ignore"),
                    bool(task.get("multi_label", False)),
                ),
                bool(task["per_frame"]),
            )
            for task in found["tasks"]
        )
        training = {str(task): [int(count) for count in counts] for task, counts in found.get("training", {}).items()}
        speed = {str(name): float(value) for name, value in found.get("speed", {}).items()}
        groups = {str(video): str(group) for video, group in found.get("groups", {}).items()}
        unknown = tuple(map(str, found.get("unknown", ())))
        checkpoint = str(found.get("checkpoint", ""))
        about = About(
            str(found["classifier"]), float(found["fps"]), tasks, training, speed, groups, unknown, checkpoint
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{path} is damaged: {error!r}.", _AGAIN) from error
    if not tasks or not (math.isfinite(about.fps) and about.fps > 0) or len({task.name for task in tasks}) < len(tasks):
        raise DataError(f"{path} is damaged: fps {about.fps:g}, tasks {[task.name for task in tasks]}.", _AGAIN)
    return about


def _index(task: dict[str, object], mark: str) -> int | None:
    """Index of the background or the ignored class.

    Raises:
        ValueError: if there is no such class.
    """
    found, names = task.get(mark), task["names"]
    if found is None:
        return None
    if not isinstance(found, int) or not isinstance(names, list) or not 0 <= found < len(names):
        raise ValueError(f"{mark} is {found!r}")
    return found


def read_predictions(folder: Path) -> tuple[About, list[TaskPredictions]]:
    """Read a folder of predictions, one entry a task that has rows.

    Classes and frames a second are those of ``about.json``; without that file they are what the rows tell.

    Raises:
        MissingDataError: if there are none.
        DataError: if a file is damaged.
    """
    path = folder / FRAMES
    if not path.is_file():
        raise MissingDataError(f"There are no predictions at {path}.", "run gad-lightning predict first")
    rows = read_csv(path)
    if not rows or set(FRAME_COLUMNS) - set(rows[0]):
        lacking = sorted(set(FRAME_COLUMNS) - set(rows[0])) if rows else "rows"
        raise DataError(f"{path} holds no predictions: it lacks {lacking}.", _AGAIN)
    about = read_about(folder) or _about_of(path, rows)
    by_task: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_task.setdefault(row["task"], []).append(row)
    unknown = sorted(set(by_task) - {task.name for task in about.tasks})
    if unknown:
        raise DataError(f"{path} has rows of the task {unknown[0]!r}, which {ABOUT} does not name.", _AGAIN)
    made = [_of_task(path, task, by_task[task.name]) for task in about.tasks if task.name in by_task]
    marked = [part.task.name in about.unknown for part in made]
    if any(is_open and UNKNOWN not in part.task.labels.names for is_open, part in zip(marked, made, strict=True)):
        raise DataError(f"{folder / ABOUT} is damaged: a task of {about.unknown} has no class {UNKNOWN!r}.", _AGAIN)
    return about, [
        part._replace(unknown=part.task.labels.names.index(UNKNOWN)) if is_open else part
        for is_open, part in zip(marked, made, strict=True)
    ]


def _of_task(path: Path, task: Task, rows: Sequence[dict[str, str]]) -> TaskPredictions:
    """Columns of one task's rows.

    Raises:
        DataError: if a cell cannot be read, or a frame of a task that is asked at every frame stands twice.
    """
    videos = tuple(sorted({row["video"] for row in rows}))
    number = {name: place for place, name in enumerate(videos)}
    video = np.array([number[row["video"]] for row in rows], dtype=np.int64)
    try:
        frame = np.array([int(row["frame"]) for row in rows], dtype=np.int64)
        label, truth, score, labels, truths = (_several_columns if task.labels.multi_label else _columns)(task, rows)
        rejection, nearest = rejection_of(task, rows) or (None, None)
    except KeyError as error:
        raise DataError(f"{path} has the label {error}, which is none of the classes.", _AGAIN) from error
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path} has a cell that is no number: {error}.", _AGAIN) from error
    if frame.min() < 0 or frame.max() > LAST_FRAME or not ((score >= 0) & (score <= 1 + 1e-6)).all():
        raise DataError(f"{path} has a frame below 0 or above {LAST_FRAME}, or a score outside [0, 1].", _AGAIN)
    order = np.lexsort((frame, video))
    several = (None if labels is None else labels[order], None if truths is None else truths[order])
    made = TaskPredictions(task, videos, video[order], frame[order], label[order], truth[order], score[order], *several)
    if rejection is not None and nearest is not None:
        made = made._replace(rejection=rejection[order], nearest=nearest[order])
    again = np.flatnonzero((np.diff(made.video) == 0) & (np.diff(made.frame) == 0))
    if task.per_frame and len(again):
        where = videos[made.video[again[0]]]
        raise DataError(f"{path} has frame {made.frame[again[0]]} of {where!r} twice.", _AGAIN)
    return made


class _Columns(NamedTuple):
    """What the rows of a task say of its classes; see :class:`TaskPredictions`."""

    label: Ints
    truth: Ints
    score: Floats
    labels: NDArray[np.bool_] | None = None
    truths: NDArray[np.int8] | None = None


def _columns(task: Task, rows: Sequence[dict[str, str]]) -> _Columns:
    """Read one label a frame."""
    index = {name: place for place, name in enumerate(task.labels.names)}
    label = np.array([index[row["label"]] for row in rows], dtype=np.int64)
    truth = np.array([index[row["truth"]] if row["truth"] else IGNORED for row in rows], dtype=np.int64)
    return _Columns(label, truth, np.array([float(row["score"]) for row in rows]))


def _several_columns(task: Task, rows: Sequence[dict[str, str]]) -> _Columns:
    """Read several labels a frame."""
    index = {name: place for place, name in enumerate(task.labels.names)}
    size = (len(rows), len(index))
    scores, truths = np.zeros(size), np.full(size, -1, dtype=np.int8)
    labels = np.zeros(size, dtype=np.bool_)
    for place, row in enumerate(rows):
        if row["label"]:
            found = [index[name] for name in row["label"].split(SEPARATOR)]
            labels[place, found] = True
            scores[place, found] = [float(score) for score in row["score"].split(SEPARATOR)]
        if row["truth"]:
            truths[place] = 0
            truths[
                place, [index[name] for name in row["truth"].split(SEPARATOR) if name in index or name != NOTHING]
            ] = 1
    chosen, known = torch.from_numpy(labels), torch.from_numpy(truths)
    label, truth = single_labels(torch.from_numpy(scores), chosen, known)
    return _Columns(label.numpy(), truth.numpy(), scores.max(1), labels, truths)


def _about_of(path: Path, rows: Sequence[dict[str, str]]) -> About:
    """Tasks and frames a second as far as the rows tell."""
    names: dict[str, set[str]] = {}
    for row in rows:
        names.setdefault(row["task"], set()).update({row["label"], row["truth"]} - {""})
    tasks = []
    for task, classes in names.items():
        ordered = (*(name for name in ("background",) if name in classes), *sorted(classes - {"background"}))
        tasks.append(Task(task, LabelSet(ordered, 0 if "background" in classes else None)))
    try:
        fps = next((int(row["frame"]) / float(row["seconds"]) for row in rows if float(row["seconds"]) > 0), 1.0)
    except ValueError as error:
        raise DataError(f"{path} has a cell that is no number: {error}.", _AGAIN) from error
    return About("", round(fps, 3) or 1.0, tuple(tasks), {}, {})


def _write_json_rows(target: Path, rows: Iterable[Row]) -> None:
    """Write rows as a JSON list of objects, one a line, as they come."""
    with atomic_write(target) as part, part.open("w", encoding="utf-8") as file:
        before = "["
        for row in rows:
            file.write(f"{before}\n{json.dumps(row, ensure_ascii=False)}")
            before = ","
        file.write("[]\n" if before == "[" else "\n]\n")

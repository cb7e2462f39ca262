"""Writes predictions: one row per frame and one per segment, as CSV and JSON, from any number of processes."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_info
from numpy.typing import NDArray
from torch import Tensor

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.classifiers.base import Classifier
from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.schema import DataSchema
from gad_lightning.segments import cut_runs
from gad_lightning.types import IGNORED, Predictions, first_class

Row = dict[str, str | int | float | None]
FRAME_COLUMNS = ("video", "task", "frame", "seconds", "label", "score", "truth")
ABOUT = "about.json"
"""Beside predictions: classifier, frames a second, and per task its classes in order and the background's index."""
SEGMENT_COLUMNS = ("video", "task", "start_frame", "end_frame", "start_seconds", "end_seconds", "label", "score")


class Columns(NamedTuple):
    """What is kept of Q predictions, int64 but for the score; (video, query_index) is the key of a row."""

    video: NDArray[Any]  # (Q,) global number
    query_index: NDArray[Any]  # (Q,) number of the query within its video
    task: NDArray[Any]  # (Q,)
    frame: NDArray[Any]  # (Q,) frame of the video
    label: NDArray[Any]  # (Q,) best class
    score: NDArray[Any]  # (Q,) its probability, in [0, 1]
    truth: NDArray[Any]  # (Q,) true class, the first of several, or IGNORED


class PredictionWriter(Callback):
    """Writes ``frames.csv``, ``frames.json``, ``segments.csv`` and ``segments.json`` when ``predict`` ends.

    ``about.json`` beside them names the classes of every task in order.

    Each process writes a part, and the first one joins them by (video, query_index), so that rows which a sampler
    repeats count once; the processes must see one file system. A segment is a run of one label, background and ignored
    classes left out, half-open in frames and in seconds; its score is the mean of its frames'. Tasks that are asked
    once a clip have frames only, at the clip's last frame.

    Args:
        folder: where to write; ``predictions`` in the folder of the run if None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.parts: list[Columns] = []

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the folder, before anything is computed.

        Raises:
            SettingError: if it cannot be written to, or there is none.
        """
        home = trainer.log_dir if self.folder is None else str(self.folder)  # log_dir is the same on every process
        if home is None:
            raise SettingError("There is no folder for the predictions.", "give PredictionWriter a folder")
        self.target = make_folder(Path(home) / "predictions" if self.folder is None else Path(home))

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep what is written later; scores of the other classes, logits and slot states are let go."""
        self.parts.append(columns_of(outputs))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write this process's part; the first process joins all of them."""
        parts, folder = self.parts, self.target / "parts"
        self.parts = []
        if trainer.world_size > 1:
            save_part(folder / f"{trainer.global_rank}.npz", parts)
            trainer.strategy.barrier("predictions are written")
            parts = [load_part(folder / f"{rank}.npz") for rank in range(trainer.world_size)] * trainer.is_global_zero
        if trainer.is_global_zero:
            names = getattr(getattr(trainer, "datamodule", None), "video_names", None)
            assert isinstance(pl_module, Classifier), "only classifiers predict actions"
            write_predictions(self.target, joined(parts), pl_module.schema, names)
            write_about(self.target / ABOUT, type(pl_module).__name__, pl_module.schema)
            shutil.rmtree(folder, ignore_errors=True)
            rank_zero_info(f"The predictions are in {self.target}")


def columns_of(predictions: Predictions) -> Columns:
    """Keep label, score and truth of every query."""
    scores, labels = predictions.scores.max(1)
    columns: list[Tensor] = [
        predictions.video,
        predictions.query_index,
        predictions.task,
        predictions.frame,
        labels,
        scores.float().exp(),
        first_class(predictions.target),
    ]
    return Columns(*(column.cpu().numpy() for column in columns))


def joined(parts: Sequence[Columns]) -> Columns:
    """Join parts, each (video, query_index) once, ordered by it.

    Example:
        >>> part = Columns(*(np.array(column) for column in ([1, 0, 1], [0, 0, 0], *[[0, 0, 0]] * 5)))
        >>> joined([part, part]).video.tolist()
        [0, 1]
    """
    if not parts:
        return Columns(*(np.zeros(0, np.float32 if name == "score" else np.int64) for name in Columns._fields))
    whole = Columns(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    _, first = np.unique(np.stack([whole.video, whole.query_index]), axis=1, return_index=True)
    return Columns(*(column[first] for column in whole))


def save_part(target: Path, parts: Sequence[Columns]) -> None:
    """Write what one process predicted."""
    make_folder(target.parent)
    with atomic_write(target) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **joined(parts)._asdict())


def load_part(source: Path) -> Columns:
    """Read what one process predicted.

    Raises:
        MissingDataError: if it is not there, as the processes see different disks.
    """
    if not source.is_file():
        raise MissingDataError(
            f"The predictions of another process are not at {source}.", "predict to a folder that all processes share"
        )
    with np.load(source, allow_pickle=False) as stored:
        return Columns(*(stored[name] for name in Columns._fields))


def write_predictions(folder: Path, columns: Columns, schema: DataSchema, names: Sequence[str] | None) -> None:
    """Write frames and segments as CSV and JSON, each file whole or not at all.

    Args:
        folder: exists.
        columns: each key once, in order.
        schema: gives class and task names and fps.
        names: of the videos by global number; the numbers themselves if None.
    """
    _write_rows(folder, "frames", FRAME_COLUMNS, frame_rows(columns, schema, names))
    _write_rows(folder, "segments", SEGMENT_COLUMNS, segment_rows(columns, schema, names))


def write_about(path: Path, classifier: str, schema: DataSchema) -> None:
    """Write what a reader of the predictions must know of the classes."""
    tasks = [
        {
            "name": task.name,
            "names": list(task.labels.names),
            "background": task.labels.background,
            "per_frame": task.per_frame,
        }
        for task in schema.tasks
    ]
    about = {"classifier": classifier, "fps": schema.features.fps, "tasks": tasks}
    with atomic_write(path) as part:
        part.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def frame_rows(columns: Columns, schema: DataSchema, names: Sequence[str] | None) -> list[Row]:
    """One row per query, see :data:`FRAME_COLUMNS`."""
    rows: list[Row] = []
    for video, _, task, moment, label, score, truth in zip(*(column.tolist() for column in columns), strict=True):
        asked = schema.tasks[task]
        known = None if truth == IGNORED else asked.labels.names[truth]
        where = (_name_of(video, names), asked.name, moment, _seconds(moment, schema))
        rows.append(dict(zip(FRAME_COLUMNS, (*where, asked.labels.names[label], round(score, 6), known), strict=True)))
    return rows


def segment_rows(columns: Columns, schema: DataSchema, names: Sequence[str] | None) -> list[Row]:
    """One row per run of a label, see :data:`SEGMENT_COLUMNS`; a gap between frames ends a run."""
    rows: list[Row] = []
    for video, task in sorted(set(zip(columns.video.tolist(), columns.task.tolist(), strict=True))):
        asked = schema.tasks[task]
        if not asked.per_frame:
            continue
        chosen = np.flatnonzero((columns.video == video) & (columns.task == task))
        order = chosen[np.argsort(columns.frame[chosen], kind="stable")]
        moment, score = columns.frame[order], columns.score[order]
        gaps = torch.from_numpy(np.diff(moment, prepend=moment[0] - 1) != 1)
        runs = cut_runs(torch.from_numpy(columns.label[order]), gaps)
        for label, first, last in zip(*(part.tolist() for part in runs), strict=True):
            if label in (asked.labels.background, asked.labels.ignore):
                continue
            start, end = int(moment[first]), int(moment[last - 1]) + 1
            where = (_name_of(video, names), asked.name, start, end, _seconds(start, schema), _seconds(end, schema))
            what = (asked.labels.names[label], round(float(score[first:last].mean()), 6))
            rows.append(dict(zip(SEGMENT_COLUMNS, (*where, *what), strict=True)))
    return rows


def _name_of(video: int, names: Sequence[str] | None) -> str:
    """Name of a video."""
    return str(video) if names is None else names[video]


def _seconds(frame: int, schema: DataSchema) -> float:
    """Time of a frame, to the millisecond."""
    return round(frame / schema.features.fps, 3)


def _write_rows(folder: Path, name: str, header: Sequence[str], rows: Sequence[Row]) -> None:
    """Write ``name.csv`` and ``name.json`` (a list of objects, one a line); None is an empty cell or null."""
    with atomic_write(folder / f"{name}.csv") as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    with atomic_write(folder / f"{name}.json") as part:
        part.write_text(f"[\n{lines}\n]\n" if rows else "[]\n", encoding="utf-8")

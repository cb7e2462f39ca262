"""All that the page says of a run, read without its classifier."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from gad_lightning.errors import DataError
from gad_lightning.results.context_table import ContextTable, read_contexts
from gad_lightning.results.forgetting import Forgetting, read_forgetting
from gad_lightning.results.gate_table import GateTable, read_gates
from gad_lightning.results.predictions import STATES, TaskPredictions, read_predictions
from gad_lightning.results.rows import Floats, Ints
from gad_lightning.results.run_folder import Curve, read_config, read_curves, read_trackers


class States(NamedTuple):
    """Slot states of some of the first task's frames."""

    states: Floats  # (M, H)
    truth: Ints  # (M,) true class
    label: Ints  # (M,) predicted class


class RunTraces(NamedTuple):
    """One run, as far as it left traces."""

    name: str
    classifier: str
    fps: float
    predictions: tuple[TaskPredictions, ...]
    curves: dict[str, Curve]  # per metric
    config: dict[str, Any]  # empty if there is none
    training: dict[str, list[int]]  # per task, training segments of each class; empty if unknown
    speed: dict[str, float]  # such as "frames a second"
    states: States | None
    forgetting: Forgetting | None = None  # None if it was not measured
    contexts: ContextTable | None = None  # as choose-context left it
    gates: GateTable | None = None  # as fit-gate left it
    trackers: Mapping[str, str] = MappingProxyType({})  # where TensorBoard and the like have the run
    checkpoint: str = ""  # name of the file that predicted; empty if nothing says it


def read_run(run: Path, predictions: Path) -> RunTraces:
    """Read all that a run left.

    Args:
        run: its folder.
        predictions: folder of ``frames.csv``.

    Raises:
        MissingDataError: if there are no predictions.
        DataError: if a file is damaged.
    """
    about, found = read_predictions(predictions)
    config = read_config(run)
    model = config.get("model")
    path = model.get("class_path") if isinstance(model, dict) else model
    sizes = {task.name: len(task.labels.names) for task in about.tasks}
    return RunTraces(
        name=run.name,
        classifier=str(path or about.classifier or run.name).rpartition(".")[2],
        fps=about.fps,
        predictions=tuple(found),
        curves=read_curves(run),
        config=config,
        training={task: counts for task, counts in about.training.items() if len(counts) == sizes.get(task)},
        speed=about.speed,
        states=_read_states(predictions / STATES, sizes[found[0].task.name]),
        forgetting=read_forgetting(run),
        contexts=read_contexts(run),
        gates=read_gates(run),
        trackers=read_trackers(run),
        checkpoint=about.checkpoint,
    )


def _read_states(path: Path, num_classes: int) -> States | None:
    """Slot states, if the predictions have any.

    Raises:
        DataError: if the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            made = States(
                stored["states"].astype(np.float64), stored["truth"].astype(np.int64), stored["label"].astype(np.int64)
            )
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is damaged: {error}.", "remove it, or add --predict=always") from error
    count = len(made.truth)
    whole = made.states.ndim == 2 and len(made.states) == len(made.label) == count and np.isfinite(made.states).all()
    if not whole or (count and not (made.truth.min() >= 0 and made.truth.max() < num_classes)):
        raise DataError(f"{path} is damaged: its columns do not fit.", "remove it, or add --predict=always")
    return made

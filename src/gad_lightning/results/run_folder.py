"""What the folder of a run holds: config.yaml, checkpoints, metrics.csv, predictions; and which checkpoint counts."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from gad_lightning.errors import DataError
from gad_lightning.results.predictions import FRAMES
from gad_lightning.results.tables import read_csv, read_json

CONFIG, CHECKPOINTS, METRICS, PREDICTIONS = "config.yaml", "checkpoints", "metrics.csv", "predictions"
TRACKERS = "trackers.json"
"""File in the folder of a run that says where TensorBoard and the like have it."""
BEST, FINAL, LAST = "best", "final", "last"
"""Beginnings of the names of checkpoints: chosen by validation, of a run without validation, and the newest."""
SCALED = "scaled-"
"""Beginning of the names of those that ``gad-lightning forgetting --scale`` wrote of another one."""
_MOST_VALUES = 100_000
"""In a config."""
Curve = list[tuple[float, float]]
"""Epochs, and the values of a metric."""


def run_folder_of(checkpoint: Path) -> Path:
    """The folder of the run that a checkpoint belongs to."""
    return checkpoint.parent.parent if checkpoint.parent.name == CHECKPOINTS else checkpoint.parent


def chosen_checkpoint(run: Path) -> Path | None:
    """The checkpoint that a run is judged by, None if it has none.

    It is the one that validation chose; else the final one, the latest under a name of the user's, or the last one.
    Scaled ones, which were made of it, count where there is no other.
    """
    for folder in (run / CHECKPOINTS, run):
        found = sorted((path for path in folder.glob("*.ckpt") if path.is_file()), key=_natural)
        kinds = {
            path: next((kind for kind in (BEST, FINAL, LAST, SCALED) if path.name.startswith(kind)), "")
            for path in found
        }
        for kind in (BEST, FINAL, "", LAST, SCALED):
            chosen = [path for path in found if kinds[path] == kind]
            if chosen:
                return chosen[-1]
    return None


def _natural(path: Path) -> list[tuple[int, str]]:
    """Key by which ``epoch=9`` comes before ``epoch=10``."""
    return [(int(digits or -1), text) for digits, text in re.findall(r"(\d*)(\D*)", path.name)]


def read_config(run: Path) -> dict[str, Any]:
    """The config of a run; empty if it has none.

    Args:
        run: its folder, or the config itself.

    Raises:
        DataError: if it cannot be read.
    """
    path = run if run.is_file() else run / CONFIG
    if not path.is_file():
        return {}
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no config: {error}.", "remove it, or give another run") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} holds a {type(found).__name__} in place of settings.", "give the folder of a run")
    if _size_of(found, {}) > _MOST_VALUES:
        raise DataError(
            f"{path} stands for more than {_MOST_VALUES:,} values, by references to itself.", "give the folder of a run"
        )
    return found


def _size_of(value: object, known: dict[int, float]) -> float:
    """Values inside a config with every reference written out; infinite if it refers to itself."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = math.inf  # while its parts are counted
        parts = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size_of(part, known) for part in parts)
    return known[id(value)]


def predictions_of(run: Path) -> Path | None:
    """Folder of a run's predictions: its own, or the newest that ``predict`` made with one of its checkpoints."""
    for folder in (run / PREDICTIONS, run):
        if (folder / FRAMES).is_file():
            return folder
    made = [path.parent for path in run.parent.glob(f"*/{PREDICTIONS}/{FRAMES}") if _uses(path.parents[1], run)]
    return max(made, key=lambda folder: (folder / FRAMES).stat().st_mtime_ns, default=None)


def _uses(other: Path, run: Path) -> bool:
    """Whether another run's config names a checkpoint of this one."""
    try:
        used = read_config(other).get("ckpt_path")
    except DataError:
        return False
    return isinstance(used, str) and run.resolve() in Path(used).resolve().parents


def read_curves(run: Path) -> dict[str, Curve]:
    """Per metric of training and validation its values by epoch, the mean of an epoch's; cells without one are skipped.

    Raises:
        DataError: if ``metrics.csv`` cannot be read.
    """
    path = run / METRICS
    if not path.is_file():
        return {}
    found: dict[str, dict[float, list[float]]] = {}
    for row in read_csv(path):
        epoch = _number(row.get("epoch", ""))
        for name, cell in row.items():
            value = _number(cell)
            if math.isfinite(epoch) and not math.isnan(value) and name.startswith(("train/", "val/")):
                found.setdefault(name, {}).setdefault(epoch, []).append(value)
    return {name: [(epoch, float(np.mean(many))) for epoch, many in values.items()] for name, values in found.items()}


def _number(cell: str) -> float:
    """A cell as a number, nan if it is none."""
    try:
        return float(cell)
    except ValueError:
        return math.nan


def read_trackers(folder: Path) -> dict[str, str]:
    """Where the trackers of a run are, by their kinds; empty if it has none.

    Raises:
        DataError: if the file is damaged.
    """
    path = folder / TRACKERS
    return {str(kind): str(where) for kind, where in read_json(path).items()} if path.is_file() else {}

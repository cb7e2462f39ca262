"""All figures of the page, from frames: F1 by class and frequency, confusions, calibration, delay."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gad_lightning.metrics.functional.calibration import CalibrationDetails, calibration_details
from gad_lightning.metrics.functional.detection_delay import DelayDetails, delay_details, detections
from gad_lightning.metrics.functional.f1 import F1Details, f1_details
from gad_lightning.metrics.functional.seen_unseen import seen_unseen
from gad_lightning.metrics.functional.segment_f1 import segment_counts
from gad_lightning.results.predictions import TaskPredictions
from gad_lightning.results.rows import Floats, Ints
from gad_lightning.results.standard import OVERLAP, metrics_of, scored_truth, space_of, table_of
from gad_lightning.types import IGNORED


class Scores(NamedTuple):
    """Figures of one task of one run; ``segment`` and ``delay`` are None where clips are asked about."""

    frames: int  # scored
    standard: dict[str, float]  # the standard metrics by name, nan where nothing is scored
    segment: F1Details | None
    delay: DelayDetails | None
    delays: Floats  # seconds to the first right frame of each true segment, inf where there is none
    calibration: CalibrationDetails
    confusion: Ints  # (C, C) frames, truth x predicted
    banded_by: str  # what the bands of ``segment`` count: "training" or "truth"
    unseen: dict[str, float]  # accuracies with and without training, see ``seen_unseen``; empty if all had some


def score(predictions: TaskPredictions, fps: float, training: list[int] | None) -> Scores:
    """Count everything.

    Args:
        predictions: at least one row.
        fps: frames a second.
        training: (C,) training segments of each class; if None bands count the true segments seen here.
    """
    task, space, table = predictions.task, space_of(predictions.task), table_of(predictions)
    alone, single = space_of(task, single=True), table_of(predictions, single=True)
    truth = scored_truth(predictions)
    known = (truth != IGNORED) & (predictions.label != IGNORED)
    size = len(task.labels.names)
    confusion = np.zeros((size, size), dtype=np.int64)
    np.add.at(confusion, (truth[known], predictions.label[known]), 1)
    scored = int(known.sum())
    sure = torch.from_numpy(predictions.score).float().clamp(0, 1)
    calibration = calibration_details(sure[known], single.preds[known], single.target[known], alone)
    standard = {
        metric.name: float(metric.value(metric.counts(*pair, fps), pair[1])) if scored else float("nan")
        for metric in metrics_of(task)
        for pair in [(single, alone) if metric.single else (table, space)]
    }
    if not task.per_frame or not scored:
        return Scores(scored, standard, None, None, np.zeros(0), calibration, confusion, "truth", {})
    counts = segment_counts(table, space, OVERLAP)
    bands = counts.true.tolist() if training is None else [*training, *([0] * (space.num_classes - len(training)))]
    found = detections(table, space)._replace(scored_frames=scored)
    return Scores(
        scored,
        standard,
        f1_details(counts, space, class_counts=bands),
        delay_details(found, space, fps),
        _delays_of(found.delay, fps),
        calibration,
        confusion,
        "truth" if training is None else "training",
        {} if training is None else _without_training(predictions, bands),
    )


def _without_training(predictions: TaskPredictions, training: list[int]) -> dict[str, float]:
    """Accuracies on classes with and without training; empty if the truth has none without."""
    table, space = table_of(predictions, single=True), space_of(predictions.task, single=True)
    unseen = torch.tensor(training[: space.num_classes]) == 0
    if predictions.unknown is not None:  # no class, but what is none
        unseen[predictions.unknown] = False
    there = space.actions(table.target)
    if not bool(unseen[there[there >= 0]].any()):
        return {}
    return {name: float(value) for name, value in seen_unseen(table, unseen, space).items()}


def _delays_of(frames: Tensor, fps: float) -> Floats:
    """Seconds of each delay, inf for what was never found, in ascending order."""
    seconds: Floats = np.sort(np.where(frames.numpy() < 0, np.inf, frames.numpy() / fps))
    return seconds


def worst_confusions(confusion: Ints, names: tuple[str, ...], limit: int = 10) -> list[tuple[str, str, int, float]]:
    """The most frequent errors: truth, prediction, frames, and their share of the truth's frames.

    Example:
        >>> worst_confusions(np.array([[3, 1], [0, 2]]), ("rest", "stir"))
        [('rest', 'stir', 1, 0.25)]
    """
    errors = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-errors, axis=None, kind="stable")[:limit]
    rows = [(int(place) // len(names), int(place) % len(names)) for place in order]
    totals = confusion.sum(1)
    return [
        (names[truth], names[found], int(errors[truth, found]), float(errors[truth, found] / totals[truth]))
        for truth, found in rows
        if errors[truth, found]
    ]

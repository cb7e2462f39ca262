"""All figures of the page, from frames: F1 by class and frequency, confusions, calibration, delay."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gad_lightning.metrics.functional.calibration import CalibrationDetails, calibration_details
from gad_lightning.metrics.functional.detection_delay import DelayDetails, delay_details, detections
from gad_lightning.metrics.functional.f1 import F1Details, f1_details
from gad_lightning.metrics.functional.frames import frame_table, order_frames
from gad_lightning.metrics.functional.labels import LabelSpace
from gad_lightning.metrics.functional.point_f1 import point_counts
from gad_lightning.metrics.functional.segment_f1 import segment_counts
from gad_lightning.report.runs import Floats, Ints, Told
from gad_lightning.types import IGNORED

OVERLAP, TOLERANCE_SECONDS = 0.1, 1.0
"""Of segment-F1 and point-F1, as in the logs of a run."""


class Scores(NamedTuple):
    """Figures of one task of one run; ``segment``, ``point`` and ``delay`` are None where clips are asked about."""

    frames: int  # scored
    top1: float
    segment: F1Details | None
    point: F1Details | None
    delay: DelayDetails | None
    delays: Floats  # seconds to the first right frame of each true segment, inf where there is none
    calibration: CalibrationDetails
    confusion: Ints  # (C, C) frames, truth x said
    banded_by: str  # what the bands of ``segment`` count: "training" or "truth"


def score(told: Told, fps: float, training: list[int] | None) -> Scores:
    """Count everything.

    Args:
        told: at least one row.
        fps: frames a second.
        training: (C,) training segments of each class; if None bands count the true segments seen here.
    """
    names, background = told.task.labels.names, told.task.labels.background
    space = LabelSpace(len(names), background, IGNORED)
    label, truth, video, frame = (torch.from_numpy(c) for c in (told.label, told.truth, told.video, told.frame))
    known = (truth != IGNORED).numpy()
    confusion = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(confusion, (told.truth[known], told.label[known]), 1)
    scored = int(known.sum())
    calibration = calibration_details(torch.from_numpy(told.score).float().clamp(0, 1), label, truth, space)
    top1 = float(np.trace(confusion)) / scored if scored else float("nan")
    if not told.task.per_frame or not scored:
        return Scores(scored, top1, None, None, None, np.zeros(0), calibration, confusion, "truth")
    table = frame_table(order_frames(video, frame), label, truth, "cut")
    counts = segment_counts(table, space, OVERLAP)
    bands = counts.true.tolist() if training is None else training
    found = detections(table, space)
    return Scores(
        scored,
        top1,
        f1_details(counts, space, class_counts=bands),
        f1_details(point_counts(table, space, TOLERANCE_SECONDS * fps, "start"), space),
        delay_details(found, space, fps),
        _delays_of(found.delay, fps),
        calibration,
        confusion,
        "truth" if training is None else "training",
    )


def _delays_of(frames: Tensor, fps: float) -> Floats:
    """Seconds of each delay, inf for what was never found, in ascending order."""
    seconds: Floats = np.sort(np.where(frames.numpy() < 0, np.inf, frames.numpy() / fps))
    return seconds


def worst_confusions(confusion: Ints, names: tuple[str, ...], limit: int = 10) -> list[tuple[str, str, int, float]]:
    """The most frequent errors: truth, what was said, frames, and their share of the truth's frames.

    Example:
        >>> worst_confusions(np.array([[3, 1], [0, 2]]), ("rest", "stir"))
        [('rest', 'stir', 1, 0.25)]
    """
    errors = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-errors, axis=None, kind="stable")[:limit]
    rows = [(int(place) // len(names), int(place) % len(names)) for place in order]
    totals = confusion.sum(1)
    return [
        (names[truth], names[said], int(errors[truth, said]), float(errors[truth, said] / totals[truth]))
        for truth, said in rows
        if errors[truth, said]
    ]

"""How well a finished run tells actions of no class from its own: all that a report or a comparison shows of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gad_lightning.metrics.functional.frames import FrameTable
from gad_lightning.metrics.functional.labels import LabelSpace
from gad_lightning.metrics.functional.open_set import (
    most_frequent,
    open_set_scores,
    segment_scores,
    segments_of,
)
from gad_lightning.metrics.functional.three_way import kinds_of, three_way_scores
from gad_lightning.results.predictions import TaskPredictions
from gad_lightning.results.rows import Floats, Ints
from gad_lightning.results.standard import table_of
from gad_lightning.types import IGNORED

SCORES = {"auroc": "AUROC", "fpr95": "FPR at 95 %", "aupr": "AUPR", "oscr": "OSCR"}
"""Headings of the scores of a ranking."""


class Items(NamedTuple):
    """Known and unknown actions, frames or segments of them; background is left out."""

    rejection: Tensor  # (I,) float64, larger for what is more unknown
    unknown: Tensor  # (I,) bool, by the truth
    right: Tensor  # (I,) bool, whether the likeliest known class is the true one
    nearest: Tensor  # (I,) int64, likeliest known class
    video: Tensor  # (I,) int64


class OpenSetScores(NamedTuple):
    """Figures of one task of one run."""

    by_rejection: bool  # else by the probability of the named class
    frames: dict[str, float]  # the scores of :data:`SCORES`, nan without known or unknown actions
    segments: dict[str, float]
    three_way: dict[str, float]  # of segments, if the run rejects: F1 by kind, and their mean
    kinds: Ints | None  # (3, 3) segments by true and told kind
    known: int  # segments
    unknown: int
    lost: Floats  # (P,) share of the known segments at or above each threshold, from the highest one on
    found: Floats  # (P,) share of the unknown ones
    taken_for: Ints  # (C,) unknown segments by likeliest known class


def is_open(predictions: TaskPredictions) -> bool:
    """Whether there is anything to say: the run rejects, or its truth has actions of no class."""
    if predictions.unknown is None:
        return False
    return predictions.rejection is not None or bool((predictions.truth == predictions.unknown).any())


def items_of(predictions: TaskPredictions) -> dict[str, Items]:
    """Known and unknown actions of a run, as ``frame`` and ``segment``.

    Without a rejection an action is the more unknown the less probable the class is that it is called.
    """
    return _items(*_table_of(predictions))


def open_set_of(predictions: TaskPredictions) -> OpenSetScores:
    """Count everything of a run for which :func:`is_open` holds."""
    table, space, rejection = _table_of(predictions)
    items = _items(table, space, rejection)
    figures = {name: _as_numbers(open_set_scores(*part[:3])) for name, part in items.items()}
    counts = kinds_of(table, rejection > 0, space)["segment"] if predictions.rejection is not None else None
    segments = items["segment"]
    known, unknown = segments.rejection[~segments.unknown], segments.rejection[segments.unknown]
    thresholds = segments.rejection.unique().flip(0)
    lost, found = (_share_from(part, thresholds) for part in (known, unknown))
    taken_for = torch.bincount(segments.nearest[segments.unknown], minlength=len(predictions.task.labels.names))
    return OpenSetScores(
        by_rejection=predictions.rejection is not None,
        frames=figures["frame"],
        segments=figures["segment"],
        three_way={} if counts is None else _as_numbers(three_way_scores(counts)),
        kinds=None if counts is None else counts.numpy(),
        known=len(known),
        unknown=len(unknown),
        lost=lost,
        found=found,
        taken_for=taken_for.numpy(),
    )


def _items(table: FrameTable, space: LabelSpace, rejection: Tensor) -> dict[str, Items]:
    segments = segments_of(table)
    video = torch.zeros_like(segments.label).index_copy(0, segments.frame, table.video.long())  # the same in all frames
    of_frame = (table.target.long(), table.preds.long(), rejection, table.video.long())
    of_segment = (segments.label, most_frequent(table.preds, segments), segment_scores(rejection, segments), video)
    made = {}
    for name, (target, nearest, score, number) in (("frame", of_frame), ("segment", of_segment)):
        unknown = target == space.num_classes
        asked = unknown | (space.actions(target) >= 0)
        right = nearest == target
        made[name] = Items(score[asked], unknown[asked], right[asked], nearest[asked], number[asked])
    return made


def _share_from(scores: Tensor, thresholds: Tensor) -> Floats:
    """Share of the scores, (I,), at or above each threshold, (P,); nan without any."""
    below = torch.searchsorted(scores.sort().values, thresholds)
    share: Floats = (1 - below.double() / len(scores)).numpy() if len(scores) else np.full(len(thresholds), np.nan)
    return share


def _as_numbers(values: dict[str, Tensor]) -> dict[str, float]:
    """Figures as plain numbers."""
    return {name: float(value) for name, value in values.items()}


def _table_of(predictions: TaskPredictions) -> tuple[FrameTable, LabelSpace, Tensor]:
    """Frames by likeliest known class and truth, with one class more for actions of none; classes; scores (N,)."""
    labels = predictions.task.labels
    size = len(labels.names)  # the class "unknown" is one of them, and stays empty
    known = predictions.label if predictions.nearest is None else predictions.nearest
    truth = np.where(predictions.truth == predictions.unknown, size, predictions.truth)
    score = -predictions.score if predictions.rejection is None else predictions.rejection
    table = table_of(predictions._replace(label=known, truth=truth))
    return table, LabelSpace(size, labels.background, IGNORED), torch.from_numpy(score).double()

"""Unknown actions in a comparison: scores whose intervals come from counts by video, and a table of all others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from gad_lightning.compare.statistics import FloatArray, Value, mean_and_error
from gad_lightning.escape import escape_markdown
from gad_lightning.results.open_set import SCORES, is_open, items_of, open_set_of
from gad_lightning.results.predictions import TaskPredictions

LEVELS = 256
"""Levels that scores are told apart by; of fewer segments each has its own."""


class RankedMetric(NamedTuple):
    """A score of a ranking of segments, as a function of counts that add up over videos."""

    name: str
    heading: str
    counts: FloatArray  # (V, 3 L): right known, wrong known and unknown segments of each level of the rejection score
    value: Value


def ranked_metrics(predictions: TaskPredictions) -> Iterator[RankedMetric]:
    """AUROC and OSCR of segments, where the truth has actions of no class.

    The rejection score counts by its rank among the run's segments, in :data:`LEVELS` levels.
    """
    items = items_of(predictions)["segment"] if is_open(predictions) else None
    if items is None or not bool(items.unknown.any()) or bool(items.unknown.all()):
        return
    ranks = items.rejection.unique(return_inverse=True)[1]
    level = ranks * LEVELS // (int(ranks.max()) + 1)
    column = level + LEVELS * torch.where(items.unknown, 2, torch.where(items.right, 0, 1))
    counts = np.zeros((len(predictions.videos), 3 * LEVELS))
    np.add.at(counts, (items.video.numpy(), column.numpy()), 1)
    yield RankedMetric("unknown_auroc", "AUROC of unknown", counts, _auroc)
    yield RankedMetric("unknown_oscr", "OSCR", counts, _oscr)


def _above(counts: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Right and all known segments, and the share of the unknown ones above them, (..., L) each; ties count half."""
    right, wrong, unknown = np.split(counts, 3, axis=-1)
    above = unknown.sum(-1, keepdims=True) - unknown.cumsum(-1) + unknown / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return right, right + wrong, above / unknown.sum(-1, keepdims=True)


def _auroc(counts: FloatArray) -> FloatArray:
    """Chance that an unknown segment scores above a known one: (..., 3 L) -> (...)."""
    _, known, above = _above(counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((known * above).sum(-1) / known.sum(-1))


def _oscr(counts: FloatArray) -> FloatArray:
    """The same for known segments that are rightly named, as a share of all known ones."""
    right, known, above = _above(counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((right * above).sum(-1) / known.sum(-1))


def figures_of(predictions: TaskPredictions) -> dict[str, float]:
    """All open-set figures of a run by name, such as ``unknown_segment_fpr95``; none where there is nothing to say."""
    if not is_open(predictions) or not predictions.task.per_frame:
        return {}
    found = open_set_of(predictions)
    parts = {"segment": found.segments, "frame": found.frames}
    ranked = {f"unknown_{kind}_{name}": part[name] for kind, part in parts.items() for name in SCORES}
    return {**ranked, **{f"unknown_{name}": value for name, value in found.three_way.items()}}


def figure_lines(figures: Mapping[str, Sequence[Mapping[str, float]]]) -> list[str]:
    """A Markdown table of the figures of every variant's runs; nothing where no run has any."""
    names = list(dict.fromkeys(name for runs in figures.values() for run in runs for name in run))
    if not names:
        return []
    headings = [name.removeprefix("unknown_").replace("_", " ") for name in names]
    lines = ["## Unknown actions", "", f"| variant | {' | '.join(headings)} |", f"| --- |{' ---: |' * len(names)}"]
    for variant, runs in figures.items():
        cells = []
        for name in names:
            mean, error = mean_and_error(np.array([run.get(name, math.nan) for run in runs]))
            cells.append(f"{mean:.3f}" if math.isnan(error) else f"{mean:.3f} ± {error:.3f}")
        lines.append(f"| {escape_markdown(variant)} | {' | '.join(cells)} |")
    return [*lines, "", "Mean and standard error over seeds; actions of the truth that are none of the classes.", ""]

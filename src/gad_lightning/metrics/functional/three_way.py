"""Known action, background or unknown action: three kinds of frames and segments, and how often each is told."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.metrics.functional.frames import FrameTable
from gad_lightning.metrics.functional.labels import LabelSpace
from gad_lightning.metrics.functional.open_set import most_frequent, segments_of

KINDS = ("known", "background", "unknown")


def kinds_of(table: FrameTable, said_unknown: Tensor, labels: LabelSpace) -> dict[str, Tensor]:
    """Count frames and segments by true and told kind, (3, 3) int64 each as ``frame`` and ``segment``.

    Rows are the truth, columns what was told, both in the order of :data:`KINDS`. A segment is a run of one true label,
    background too; what is told of it is what is told of most of its frames.

    Args:
        table: frames in order, whose true label is C where the action is none of the classes.
        said_unknown: (M,) bool.
        labels: the C classes; ignored frames are left out.

    Source: the cases that Bao et al. count, OpenTAL, CVPR 2022 (arXiv 2203.05114).
    """
    segments = segments_of(table)
    told = _kind(table.preds.long(), labels).masked_fill(said_unknown, KINDS.index("unknown"))
    pairs = {"frame": (table.target.long(), told), "segment": (segments.label, most_frequent(told, segments))}
    counts = {}
    for name, (target, said) in pairs.items():
        scored = (target == labels.num_classes) | labels.scored(target)
        both = _kind(target[scored], labels) * len(KINDS) + said[scored]
        counts[name] = torch.bincount(both, minlength=len(KINDS) ** 2).reshape(len(KINDS), len(KINDS))
    return counts


def _kind(target: Tensor, labels: LabelSpace) -> Tensor:
    """Index into :data:`KINDS` of each label, (N,)."""
    known, background, unknown = range(len(KINDS))
    kind = torch.where(target == labels.num_classes, unknown, known)
    return kind if labels.background is None else kind.masked_fill(target == labels.background, background)


def three_way_scores(counts: Tensor) -> dict[str, Tensor]:
    """F1 of each kind as ``<kind>_f1`` and their mean as ``three_way``: () float64, nan where a kind does not occur.

    The mean is over the kinds that occur in the truth.

    Args:
        counts: (3, 3) of truth and told kind.

    Example:
        >>> found = three_way_scores(torch.tensor([[4, 0, 0], [0, 2, 0], [4, 0, 0]]))
        >>> {name: round(float(value), 2) for name, value in found.items()}
        {'known_f1': 0.67, 'background_f1': 1.0, 'unknown_f1': 0.0, 'three_way': 0.56}
    """
    table = counts.double()
    f1 = 2 * table.diagonal() / (table.sum(0) + table.sum(1))  # 0 / 0 is nan
    there = table.sum(1) > 0
    return {**{f"{kind}_f1": value for kind, value in zip(KINDS, f1, strict=True)}, "three_way": f1[there].mean()}

"""How well a rejection score tells unknown actions from known ones, per frame and per segment."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gad_lightning.metrics.functional.frame_map import average_precision
from gad_lightning.metrics.functional.frames import FrameTable
from gad_lightning.metrics.functional.labels import LabelSpace
from gad_lightning.segments import cut_runs

KEPT = 0.95
"""Share of the known that stays known where the share of the unknown that does is told."""


def open_set_scores(rejection: Tensor, unknown: Tensor, right: Tensor) -> dict[str, Tensor]:
    """Score a ranking of known and unknown items; equal scores count half.

    Args:
        rejection: (N,) float, larger for what is more unknown.
        unknown: (N,) bool.
        right: (N,) bool, whether the class of a known item was predicted rightly; of unknown ones not looked at.

    Returns:
        () float64 each, ``nan`` without a known or an unknown item: "auroc", chance that an unknown item scores above a
        known one; "fpr95", share of the unknown that stay known at the threshold that keeps 95 % of the known; "aupr",
        average precision of finding the unknown; "oscr", area of right known items over unknown ones that stay known.

    Source: Yang et al., OpenOOD, NeurIPS 2022 (arXiv 2210.07242); Dhamija et al., NeurIPS 2018 (arXiv 1811.04110) for
    the OSCR.

    Example:
        >>> scores, unknown = torch.tensor([0.1, 0.2, 0.7, 0.9]), torch.tensor([False, False, True, True])
        >>> float(open_set_scores(scores, unknown, torch.tensor([True, False, False, False]))["oscr"])
        0.5
    """
    scores, nothing = rejection.double(), torch.full((), torch.nan, dtype=torch.float64)
    known, new = scores[~unknown], scores[unknown].sort().values
    if not len(known) or not len(new):
        return dict.fromkeys(("auroc", "fpr95", "aupr", "oscr"), nothing)
    # of each known item the share of the unknown ones that score above it
    below = torch.searchsorted(new, known) + torch.searchsorted(new, known, right=True)
    above = 1 - below.double() / (2 * len(new))
    kept = known.sort().values[max(0, -int(-KEPT * len(known) // 1) - 1)]
    return {
        "auroc": above.mean(),
        "fpr95": (new <= kept).double().mean(),
        "aupr": average_precision(scores.unsqueeze(1), unknown.unsqueeze(1))[0],
        "oscr": (above * right[~unknown]).mean(),
    }


class Segments(NamedTuple):
    """Segments of one true label."""

    label: Tensor  # (S,) int64
    frame: Tensor  # (M,) int64, the segment of each frame


def segments_of(table: FrameTable) -> Segments:
    """Cut frames in order into segments of one true label."""
    runs = cut_runs(table.target.long(), table.breaks)
    every = torch.arange(len(runs.label), device=table.target.device)
    return Segments(runs.label, torch.repeat_interleave(every, runs.end - runs.start))


def most_frequent(values: Tensor, segments: Segments) -> Tensor:
    """What most frames of each segment have, the lowest of equally many: (M,) whole numbers from 0 -> (S,) int64."""
    size = int(values.max()) + 1 if len(values) else 1
    votes = torch.bincount(segments.frame * size + values.long(), minlength=len(segments.label) * size)
    return votes.reshape(-1, size).argmax(1)


def segment_scores(rejection: Tensor, segments: Segments) -> Tensor:
    """Mean rejection score of each segment over its finite ones, -inf where there is none: (M,) -> (S,) float64."""
    finite = rejection.isfinite()
    nothing = torch.zeros(len(segments.label), dtype=torch.float64, device=rejection.device)
    sums = nothing.index_add(0, segments.frame, rejection.double().masked_fill(~finite, 0.0))
    count = nothing.index_add(0, segments.frame, finite.double())
    return torch.where(count > 0, sums / count, -torch.inf)


def open_set(table: FrameTable, rejection: Tensor, labels: LabelSpace) -> dict[str, Tensor]:
    """All open-set scores of frames in order: of frames as ``frame_<name>``, of segments as ``segment_<name>``.

    Args:
        table: frames, whose true label is C where the action is none of the classes.
        rejection: (M,) float; -inf where a frame cannot be unknown.
        labels: the C classes; background and ignored frames are left out.
    """
    found: dict[str, Tensor] = {}
    segments = segments_of(table)
    by_frame = (table.target.long(), table.preds.long(), rejection.double())
    by_segment = (segments.label, most_frequent(table.preds, segments), segment_scores(rejection, segments))
    for kind, (target, predicted, scores) in (("frame", by_frame), ("segment", by_segment)):
        unknown = target == labels.num_classes
        asked = unknown | (labels.actions(target) >= 0)
        values = open_set_scores(scores[asked], unknown[asked], (predicted == target)[asked])
        found |= {f"{kind}_{name}": value for name, value in values.items()}
    return found

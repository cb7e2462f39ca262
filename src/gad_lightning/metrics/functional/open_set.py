"""How well a rejection score tells unknown actions from known ones, per frame and per segment."""

from __future__ import annotations

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


def _segment_table(table: FrameTable, rejection: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Segments of one true label: label (S,), predicted class of the most frames (S,), mean rejection score (S,)."""
    runs = cut_runs(table.target.long(), table.breaks)
    number = torch.repeat_interleave(torch.arange(len(runs.label), device=table.target.device), runs.end - runs.start)
    sums = torch.zeros(len(runs.label), dtype=torch.float64, device=number.device)
    means = sums.index_add(0, number, rejection.double()) / (runs.end - runs.start)
    classes = int(table.preds.max()) + 1 if len(table.preds) else 1
    votes = torch.bincount(number * classes + table.preds.long(), minlength=len(runs.label) * classes)
    return runs.label, votes.reshape(-1, classes).argmax(1), means


def open_set(table: FrameTable, rejection: Tensor, labels: LabelSpace) -> dict[str, Tensor]:
    """All open-set scores of frames in order: of frames as ``frame_<name>``, of segments as ``segment_<name>``.

    Args:
        table: frames, whose true label is C where the action is none of the classes.
        rejection: (M,) float.
        labels: the C classes; background and ignored frames are left out.
    """
    found: dict[str, Tensor] = {}
    by_frame = (table.target.long(), table.preds.long(), rejection.double())
    for kind, (target, predicted, scores) in (("frame", by_frame), ("segment", _segment_table(table, rejection))):
        unknown = target == labels.num_classes
        asked = unknown | (labels.actions(target) >= 0)
        values = open_set_scores(scores[asked], unknown[asked], (predicted == target)[asked])
        found |= {f"{kind}_{name}": value for name, value in values.items()}
    return found

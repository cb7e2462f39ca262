"""Accuracy on the classes that training showed, on those it did not, and their harmonic mean."""

from __future__ import annotations

from torch import Tensor

from gad_lightning.metrics.functional.frames import FrameTable
from gad_lightning.metrics.functional.labels import LabelSpace
from gad_lightning.metrics.functional.open_set import most_frequent, segments_of


def seen_unseen(table: FrameTable, unseen: Tensor, labels: LabelSpace) -> dict[str, Tensor]:
    """``seen``, ``unseen`` and ``harmonic`` after ``frame_`` and ``segment_``: () float64 each, nan for no item.

    Each accuracy is a mean over the classes that occur in the truth, and all classes may be predicted.

    Args:
        table: frames in order.
        unseen: (C,) bool, whether training showed no example of a class.
        labels: the classes; background and ignored frames are left out.

    Source: Xian et al., Zero-Shot Learning: A Comprehensive Evaluation, TPAMI 2019 (arXiv 1707.00600).
    """
    segments = segments_of(table)
    by_frame = (table.target.long(), table.preds.long())
    by_segment = (segments.label, most_frequent(table.preds.clamp(min=0), segments))
    found: dict[str, Tensor] = {}
    for kind, (target, predicted) in (("frame", by_frame), ("segment", by_segment)):
        asked = labels.actions(target) >= 0
        target, predicted = target[asked], predicted[asked]
        new = unseen.to(target.device)[target]
        seen, other = (_mean_recall(target[part], predicted[part]) for part in (~new, new))
        values = {"seen": seen, "unseen": other, "harmonic": (2 * seen * other / (seen + other).clamp(min=1e-12))}
        found |= {f"{kind}_{name}": value for name, value in values.items()}
    return found


def _mean_recall(target: Tensor, predicted: Tensor) -> Tensor:
    """Mean over the classes in ``target`` of the share that is right, () float64; nan without any."""
    number = target.unique(return_inverse=True)[1]
    size = int(number.max()) + 1 if len(number) else 0
    right = (target == predicted).double()
    hits, all_of = (right.new_zeros(size).index_add(0, number, part) for part in (right, right.new_ones(len(right))))
    return (hits / all_of).mean()

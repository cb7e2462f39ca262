"""F1 over segments that are matched in time order, without a second choice."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.metrics.functional.f1 import Average, Counts, averaged, count_classes
from gad_lightning.metrics.functional.frames import FrameTable, Gaps
from gad_lightning.metrics.functional.labels import Ignored, LabelSpace, table_of, without_ignored
from gad_lightning.segments import cut_runs


def check_overlap(overlap: float) -> None:
    """Refuse an IoU outside (0, 1].

    Raises:
        SettingError: giving the value.
    """
    if not 0 < overlap <= 1:
        raise SettingError(
            f"overlap is a temporal IoU and must lie in (0, 1], got {overlap}.", "0.1 is the published one"
        )


def segment_counts(table: FrameTable, labels: LabelSpace, overlap: float = 0.1, ignored: Ignored = "cut") -> Counts:
    """Count the segments of each class and the hits among them.

    Only true segments of the predicted class that share a frame with the predicted one can pass, and such a pair
    shares exactly one stretch of frames; so one pass over the stretches gives every IoU. Which predicted segment
    takes a true one does not depend on the others, as there is no second choice: the hits are the true segments
    that are the best one of some predicted segment.

    Args:
        table: frames in order.
        labels: the classes.
        overlap: smallest IoU of a hit, in (0, 1].
        ignored: see :func:`~gad_lightning.metrics.functional.labels.without_ignored`.
    """
    check_overlap(overlap)
    table = without_ignored(table, labels, ignored)
    preds, target = labels.actions(table.preds), labels.actions(table.target)
    found, true = cut_runs(preds, table.breaks), cut_runs(target, table.breaks)
    changes = table.breaks.clone()
    changes[1:] |= target[1:] != target[:-1]
    shared = cut_runs(preds, changes)
    both = (shared.label >= 0) & (shared.label == target[shared.start])
    start, length = shared.start[both], (shared.end - shared.start)[both]
    # the predicted segment of each stretch, and the true one
    by = torch.searchsorted(found.start, start, right=True) - 1
    of = torch.searchsorted(true.start, start, right=True) - 1
    iou = length.double() / ((found.end - found.start)[by] + (true.end - true.start)[of] - length).double()
    best = iou.new_zeros(found.label.numel()).scatter_reduce(0, by, iou, "amax")
    passes = (iou == best[by]) & (iou >= overlap)
    of, by = of[passes], by[passes]
    earliest = torch.ones_like(by, dtype=torch.bool)  # of two equally good true segments the first counts
    earliest[1:] = by[1:] != by[:-1]
    hit = torch.zeros_like(true.label, dtype=torch.bool)
    hit[of[earliest]] = True
    sizes = (count_classes(of_whom, labels.num_classes) for of_whom in (true.label[hit], found.label, true.label))
    return Counts(*sizes)


def segment_f1(
    preds: Tensor,
    target: Tensor,
    video: Tensor | None = None,
    frame: Tensor | None = None,
    *,
    num_classes: int,
    background: int | None = 0,
    overlap: float = 0.1,
    average: Average = "micro",
    ignore_index: int | None = None,
    gaps: Gaps = "error",
    ignored_frames: Ignored = "cut",
) -> Tensor:
    """F1 over segments: () float32 in [0, 1]; see :class:`gad_lightning.SegmentF1`.

    Args:
        preds: (N,) integer, predicted class of each frame.
        target: (N,) integer, true class.
        video: (N,) int64, number of the video; one video if left out.
        frame: (N,) int64, number of the frame within its video; in order if left out.
        num_classes: number of classes, background included.
        background: class that is no segment, or None.
        overlap: smallest IoU of a hit, in (0, 1].
        average: see :class:`~gad_lightning.SegmentF1`.
        ignore_index: label of frames that are not scored, or None.
        gaps: what a missing frame does: ``"error"`` or ``"cut"``.
        ignored_frames: ``"cut"``, or ``"published"``, see :class:`gad_lightning.SegmentF1`.

    Raises:
        DataError: if the tensors do not fit together.
        SettingError: if a setting is out of its range.

    Example:
        >>> segment_f1(torch.tensor([0, 1, 1, 2]), torch.tensor([1, 1, 1, 0]), num_classes=3)
        tensor(0.6667)
    """
    labels = LabelSpace(num_classes, background, ignore_index).checked()
    table = table_of(preds, target, video, frame, labels, gaps)
    counts = segment_counts(table, labels, overlap, ignored_frames)
    return averaged(counts, labels, average)["f1"].float()

"""Frame accuracy: Top-1 with everything derived from the confusions, and Top-k from ranks."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypedDict

import torch
from torch import Tensor

from gad_lightning.metrics.functional.f1 import Counts, f1_scores, ratio
from gad_lightning.metrics.functional.frames import check_option
from gad_lightning.metrics.functional.labels import LabelSpace, check_pair, check_score_rows

FrameAverage = Literal["micro", "macro"]


class FrameCounts(NamedTuple):
    """Scored frames of each class, (C,) int64 on the CPU."""

    hits: Tensor  # of the class, and said so
    predicted: Tensor  # said to be of the class
    true: Tensor  # of the class


class ClassAccuracy(TypedDict):
    """Scores of each class, (C,) float32, 0 where undefined; ``frames`` (C,) int64 is how often it is true."""

    recall: Tensor
    precision: Tensor
    f1: Tensor
    frames: Tensor


class AccuracyDetails(TypedDict):
    """Frame scores, () float32 each; ``nan`` where there is no frame to count."""

    accuracy: Tensor
    background_recall: Tensor
    foreground_recall: Tensor
    background_precision: Tensor
    foreground_precision: Tensor
    foreground_f1: Tensor
    mean_recall: Tensor
    mean_precision: Tensor
    mean_f1: Tensor
    mean_foreground_recall: Tensor
    mean_foreground_precision: Tensor
    mean_foreground_f1: Tensor
    per_class: ClassAccuracy


def frame_counts(preds: Tensor, target: Tensor, labels: LabelSpace) -> FrameCounts:
    """Count the scored frames of each class: (M,), (M,) -> (C,) each.

    Frames of ignored truth are left out. A frame predicted as ``ignore_index`` is wrong; outside the classes it counts
    for none.
    """
    scored = labels.scored(target)
    preds, target = preds[scored].long(), target[scored].long()
    inside = (preds >= 0) & (preds < labels.num_classes)

    def count(classes: Tensor) -> Tensor:
        """Frames of each class: (C,)."""
        return torch.bincount(classes, minlength=labels.num_classes).cpu()

    return FrameCounts(count(target[preds == target]), count(preds[inside]), count(target))


def accuracy_details(preds: Tensor, target: Tensor, labels: LabelSpace) -> AccuracyDetails:
    """Everything about the frames' labels.

    Means are over the classes that occur in the truth. Foreground is every class but the background.

    Args:
        preds: (M,) integer, every frame once.
        target: (M,) integer.
        labels: the classes; frames whose truth is ignored are left out.
    """
    counts = frame_counts(preds, target, labels)
    each = f1_scores(Counts(*counts))
    occurs = counts.true > 0
    foreground = torch.ones_like(occurs)
    if labels.background is not None:
        foreground[labels.background] = False
    front, back = (FrameCounts(*(count[part].sum() for count in counts)) for part in (foreground, ~foreground))
    front = front._replace(predicted=counts.true.sum() - back.predicted)  # with those predicted to be no class at all
    precision, recall = _share(front.hits, front.predicted), _share(front.hits, front.true)
    return AccuracyDetails(
        accuracy=_share(counts.hits.sum(), counts.true.sum()),
        background_recall=_share(back.hits, back.true),
        foreground_recall=recall,
        background_precision=_share(back.hits, back.predicted),
        foreground_precision=precision,
        foreground_f1=2 * precision * recall / (precision + recall).clamp(min=torch.finfo(torch.float32).tiny),
        mean_recall=_mean(each["recall"], occurs),
        mean_precision=_mean(each["precision"], occurs),
        mean_f1=_mean(each["f1"], occurs),
        mean_foreground_recall=_mean(each["recall"], occurs & foreground),
        mean_foreground_precision=_mean(each["precision"], occurs & foreground),
        mean_foreground_f1=_mean(each["f1"], occurs & foreground),
        per_class=ClassAccuracy(
            recall=each["recall"].float(),
            precision=each["precision"].float(),
            f1=each["f1"].float(),
            frames=counts.true,
        ),
    )


def rank_of_target(scores: Tensor, target: Tensor) -> Tensor:
    """How many classes come before the true one: (N, C), (N,) -> (N,) int64; C where the target is no class.

    Classes are ordered by score, equal ones by index, so rank 0 is what the first-best label says.
    """
    num_classes = scores.shape[1]
    inside = (target >= 0) & (target < num_classes)
    true = target.clamp(0, num_classes - 1).long().unsqueeze(1)
    own = scores.gather(1, true)
    earlier = torch.arange(num_classes, device=scores.device) < true
    before = (scores > own) | ((scores == own) & earlier)
    return before.sum(1).masked_fill(~inside, num_classes)


def top_k_counts(rank: Tensor, target: Tensor, k: int, labels: LabelSpace) -> FrameCounts:
    """Count the scored frames of each class, and as hits those whose class is among the best ``k``: (M,) -> (C,)."""
    scored = labels.scored(target)
    rank, target = rank[scored], target[scored].long()
    hits = torch.bincount(target[rank < k], minlength=labels.num_classes).cpu()
    true = torch.bincount(target, minlength=labels.num_classes).cpu()
    return FrameCounts(hits, true, true)


def averaged_accuracy(counts: FrameCounts, average: FrameAverage = "micro") -> Tensor:
    """Share of right frames, or its mean over the classes that occur in the truth: () float32, ``nan`` for none."""
    check_option("average", average, FrameAverage)
    if average == "micro":
        return _share(counts.hits.sum(), counts.true.sum())
    return _mean(ratio(counts.hits, counts.true), counts.true > 0)


def top1(
    preds: Tensor,
    target: Tensor,
    *,
    num_classes: int,
    average: FrameAverage = "micro",
    ignore_index: int | None = None,
) -> Tensor:
    """Share of frames that are labeled right: () float32; see :class:`gad_lightning.Top1`.

    Args:
        preds: (N,) integer, every frame once.
        target: (N,) integer.
        num_classes: number of classes, background included.
        average: ``"micro"``, or ``"macro"`` for the mean over the classes that occur in the truth.
        ignore_index: frames with this truth are left out.

    Example:
        >>> top1(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2]), num_classes=3)
        tensor(0.7500)
    """
    labels = LabelSpace(num_classes, None, ignore_index).checked()
    check_pair(preds, target, labels)
    return averaged_accuracy(frame_counts(preds, target, labels), average)


def top_k(
    scores: Tensor,
    target: Tensor,
    *,
    k: int = 5,
    average: FrameAverage = "micro",
    ignore_index: int | None = None,
) -> Tensor:
    """Share of frames whose class is among the best ``k``: () float32; see :class:`gad_lightning.TopK`.

    Args:
        scores: (N, C) float, every frame once.
        target: (N,) integer.
        k: how many classes may be named.
        average: ``"micro"``, or ``"macro"`` for the mean over the classes that occur in the truth.
        ignore_index: frames with this truth are left out.

    Example:
        >>> top_k(torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]), torch.tensor([1, 2]), k=2)
        tensor(0.5000)
    """
    labels = LabelSpace(scores.shape[-1], None, ignore_index).checked()
    check_score_rows(scores, len(labels.check(target, "target")), labels.num_classes)
    return averaged_accuracy(top_k_counts(rank_of_target(scores, target), target, k, labels), average)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """``part / whole`` as float32, ``nan`` for 0 / 0."""
    return (part.double() / whole.double()).float()


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen values as float32, ``nan`` if there is none."""
    return values[chosen].mean().float()

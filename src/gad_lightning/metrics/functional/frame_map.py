"""Per-frame mean average precision, plain and calibrated, with the options of THUMOS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from gad_lightning.errors import DataError, SettingError
from gad_lightning.metrics.functional.frames import check_option
from gad_lightning.metrics.functional.labels import LabelSpace, check_score_rows

IgnoredFrames = Literal["drop", "keep"]

CELLS_AT_ONCE = 1 << 22
"""Scores that are sorted together; bounds the working memory to some hundred MB."""


def average_precision(scores: Tensor, hits: Tensor, *, calibrated: bool = False) -> Tensor:
    """Average precision of each column: (M, K) float, (M, K) bool -> (K,) float64, ``nan`` without a positive.

    The sum over the distinct scores of (recall gained) x (precision down to there): equal scores are one step.
    Calibrated, false positives weigh as if positives and negatives were equally many:
    precision = TP / (TP + FP / w), w = negatives / positives.

    Example:
        >>> average_precision(torch.tensor([[0.9], [0.5], [0.4]]), torch.tensor([[True], [False], [True]]))
        tensor([0.8333], dtype=torch.float64)
    """
    if len(scores) == 0:
        return torch.full((scores.shape[1],), torch.nan, dtype=torch.float64, device=scores.device)
    step = max(1, CELLS_AT_ONCE // len(scores))
    parts = zip(scores.split(step, 1), hits.split(step, 1), strict=True)
    return torch.cat([_columns_precision(score, hit.bool(), calibrated) for score, hit in parts])


def _columns_precision(scores: Tensor, hits: Tensor, calibrated: bool) -> Tensor:
    """:func:`average_precision` of columns that are sorted together, as rows: strided sorts are slow."""
    scores, order = scores.t().contiguous().sort(-1, descending=True)  # (K, M)
    true = hits.t().gather(-1, order).cumsum(-1)
    positives, frames = true[:, -1:], true.shape[1]
    false = torch.arange(1, frames + 1, device=scores.device) - true
    ends = torch.ones_like(scores, dtype=torch.bool)
    ends[:, :-1] = scores[:, 1:] != scores[:, :-1]
    at_end = true * ends
    gained = at_end.clone()
    gained[:, 1:] -= at_end.cummax(-1).values[:, :-1]
    gained *= ends
    weighed = false.double()
    if calibrated:
        weighed = weighed * positives / (frames - positives).clamp(min=1)
    precision = true.double() / (true + weighed).clamp(min=torch.finfo(torch.float64).tiny)
    return (precision * gained).sum(-1) / positives[:, 0]  # 0 / 0 without a positive


def _smoothed(scores: Tensor, breaks: Tensor, frames: int) -> Tensor:
    """Replace each score by the largest of the ``frames`` around it in its video: (M, C) -> (M, C).

    Args:
        scores: (M, C), in order.
        breaks: (M,) bool, where a video begins or a gap ends.
        frames: odd number of frames.
    """
    reach = frames // 2
    stretch = breaks.cumsum(0)
    kept = scores.clone()
    for shift in range(1, min(reach, len(scores) - 1) + 1):
        same = (stretch[shift:] == stretch[:-shift]).unsqueeze(1)
        kept[shift:] = torch.where(same, torch.maximum(kept[shift:], scores[:-shift]), kept[shift:])
        kept[:-shift] = torch.where(same, torch.maximum(kept[:-shift], scores[shift:]), kept[:-shift])
    return kept


class MapRule(NamedTuple):
    """What is done with scores and frames before they are ranked, in this order."""

    smooth_frames: int = 1  # see _smoothed(); 1 leaves the scores as they are
    also_counts_as: Mapping[int, int] = {}  # {a: b}: a score of class a counts for class b too, the larger of both
    ignored_frames: IgnoredFrames = "drop"  # or "keep": only the class itself is left out of the mean
    calibrated: bool = False  # see average_precision()

    def checked(self, num_classes: int) -> MapRule:
        """Return itself, refusing what cannot work.

        Raises:
            SettingError: naming the setting and its value.
        """
        if self.smooth_frames < 1 or self.smooth_frames % 2 == 0:
            raise SettingError(f"smooth_frames is {self.smooth_frames}.", "give an odd number of frames, 1 for none")
        check_option("ignored_frames", self.ignored_frames, IgnoredFrames)
        for index in (*self.also_counts_as, *self.also_counts_as.values()):
            if not 0 <= index < num_classes:
                raise SettingError(
                    f"also_counts_as names the class {index}, but the classes are 0 to {num_classes - 1}.",
                    "give class indices, such as {5: 8}",
                )
        return self


def multi_hot(target: Tensor, labels: LabelSpace) -> Tensor:
    """Bring targets into one form: (N,) integer or (N, C) multi-hot -> (N, C + 1) uint8.

    The last column says that the frame has no label at all (a target outside the classes).

    Raises:
        DataError: on another shape, or a multi-hot value that is neither 0 nor 1.
    """
    classes = labels.num_classes
    if target.ndim != 2:
        column = labels.check(target, "target").long()
        column = column.masked_fill((column < 0) | (column >= classes), classes)
        hits = torch.zeros(len(column), classes + 1, dtype=torch.uint8, device=target.device)
        return hits.scatter_(1, column.unsqueeze(1), 1)
    if target.shape[1] != classes:
        raise DataError(
            f"target has the shape {tuple(target.shape)}, but there are {classes} classes.",
            f"pass classes (N,) or a multi-hot matrix (N, {classes})",
        )
    unknown = (target < 0).all(1)
    target = target.where(~unknown.unsqueeze(1), 0)
    hits = target.to(torch.uint8)
    if bool((hits != target).any()) or bool((hits > 1).any()):
        raise DataError("target is multi-hot but holds values other than 0 and 1.", "pass 0 and 1 only")
    return torch.cat([hits, unknown.unsqueeze(1).to(torch.uint8)], 1)


def frame_precisions(
    scores: Tensor, hits: Tensor, breaks: Tensor, labels: LabelSpace, rule: MapRule | None = None
) -> Tensor:
    """Average precision of each class: (C,) float64 on the CPU.

    ``nan`` for the background, the ignored class and those without a positive.

    Args:
        scores: (M, C) float, every frame once and in order.
        hits: (M, C + 1) uint8, see :func:`multi_hot`.
        breaks: (M,) bool, where a video begins or a gap ends.
        labels: the classes. An ``ignore_index`` that is the background leaves out no frame.
        rule: what is done before the frames are ranked.
    """
    rule = rule or MapRule()
    if rule.smooth_frames > 1:
        scores = _smoothed(scores, breaks, rule.smooth_frames)
    if rule.also_counts_as:
        scores = scores.clone()
    for source, kept in rule.also_counts_as.items():
        scores[:, kept] = torch.maximum(scores[:, kept], scores[:, source])
    dropped = hits[:, -1] > 0
    if rule.ignored_frames == "drop" and labels.ignore_index in set(range(labels.num_classes)) - {labels.background}:
        dropped |= hits[:, labels.ignore_index] > 0
    if bool(dropped.any()):
        scores, hits = scores[~dropped], hits[~dropped]
    counted = labels.action_classes() & (hits[:, :-1] > 0).any(0).cpu()
    columns = counted.nonzero().flatten().to(scores.device)
    precisions = torch.full((labels.num_classes,), torch.nan, dtype=torch.float64)
    precisions[counted] = average_precision(scores[:, columns], hits[:, columns], calibrated=rule.calibrated).cpu()
    return precisions


def frame_map(
    scores: Tensor,
    target: Tensor,
    *,
    background: int | None = 0,
    ignore_index: int | None = None,
    rule: MapRule | None = None,
) -> Tensor:
    """Mean average precision over the frames of one video or of no order: () float32 in [0, 1].

    Args:
        scores: (N, C) float, every frame once; in order if the rule smooths.
        target: (N,) integer or (N, C) multi-hot.
        background: class that is left out of the mean, or None.
        ignore_index: class that is left out, with its frames, or None.
        rule: smoothing, calibration and the like.

    Returns:
        The mean over the classes with a positive frame, ``nan`` if there is none.

    Raises:
        DataError: if the tensors do not fit together or the scores are not finite.

    Example:
        >>> scores = torch.tensor([[0.1, 0.9], [0.5, 0.5], [0.6, 0.4]])
        >>> frame_map(scores, torch.tensor([1, 0, 1]))
        tensor(0.8333)
    """
    labels = LabelSpace(scores.shape[-1], background, ignore_index).checked()
    hits = multi_hot(target, labels)
    check_score_rows(scores, len(hits), labels.num_classes)
    rule = (rule or MapRule()).checked(labels.num_classes)
    breaks = torch.zeros(len(scores), dtype=torch.bool, device=scores.device)
    return frame_precisions(scores, hits, breaks, labels, rule).nanmean().float()

"""Expected calibration error: does a confidence of 0.8 mean right 8 times in 10."""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor

from gad_lightning.errors import DataError, SettingError
from gad_lightning.metrics.functional.labels import LabelSpace, check_score_rows

FIXED_POINT = 1 << 32
"""Confidences are added as integers of this resolution: exact in any order, up to two billion frames."""


class CalibrationDetails(TypedDict):
    """Reliability by bins of confidence, (bins,) each; ``nan`` where a bin is empty."""

    error: Tensor
    confidence: Tensor
    accuracy: Tensor
    frames: Tensor


def check_num_bins(num_bins: int) -> None:
    """Refuse a number of bins below 1.

    Raises:
        SettingError: giving the value.
    """
    if num_bins < 1:
        raise SettingError(f"num_bins is {num_bins}.", "give 1 bin or more; 15 is usual")


def _probabilities(scores: Tensor) -> Tensor:
    """Turn probabilities or log-probabilities into probabilities: (N, C) -> (N, C) float32.

    A row with a value below 0 holds logarithms.

    Raises:
        DataError: if a row does not add up to 1, as raw logits do not.
    """
    scores = scores.float()
    values = torch.where((scores < 0).any(1, keepdim=True), scores.exp(), scores)
    total = values.sum(1)
    if bool((off := (total - 1).abs() > 0.05).any()):
        row = int(off.nonzero()[0])
        raise DataError(
            f"Row {row} of scores adds up to {float(total[row]):.4g} and not to 1: these are no probabilities.",
            "pass logits.log_softmax(-1) or logits.softmax(-1)",
        )
    return values


def confidences(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Best class of each frame and its probability: (N, C) -> (N,) int64, (N,) float32; ties go to the lower class."""
    confidence, label = _probabilities(scores).max(1)
    return label, confidence.clamp(max=1)


def calibration_details(
    confidence: Tensor, preds: Tensor, target: Tensor, labels: LabelSpace, num_bins: int = 15
) -> CalibrationDetails:
    """Bin the scored frames by confidence, bins of equal width, closed above.

    Args:
        confidence: (M,) float32 in [0, 1].
        preds: (M,) integer, the class it belongs to; every frame once.
        target: (M,) integer.
        labels: the classes; frames of ignored truth are left out.
        num_bins: number of bins.
    """
    scored = labels.scored(target)
    confidence, right = confidence[scored].double(), (preds == target)[scored]
    place = (confidence * num_bins).ceil().long().sub(1).clamp(0, num_bins - 1)
    whole = torch.zeros(num_bins, dtype=torch.int64, device=place.device)
    added = whole.index_add(0, place, (confidence * FIXED_POINT).round().long()).cpu()
    frames = torch.bincount(place, minlength=num_bins).cpu()
    hits = torch.bincount(place[right], minlength=num_bins).cpu()
    mean = added.double() / FIXED_POINT
    return CalibrationDetails(
        error=((hits - mean).abs().sum() / frames.sum()).float(),
        confidence=(mean / frames).float(),
        accuracy=(hits.double() / frames).float(),
        frames=frames,
    )


def calibration_error(scores: Tensor, target: Tensor, *, num_bins: int = 15, ignore_index: int | None = None) -> Tensor:
    """Mean gap between confidence and accuracy: () float32; see :class:`gad_lightning.CalibrationError`.

    Args:
        scores: (N, C) probabilities or log-probabilities, every frame once.
        target: (N,) integer.
        num_bins: number of bins.
        ignore_index: frames with this truth are left out.

    Example:
        >>> calibration_error(torch.tensor([[0.75, 0.25], [0.75, 0.25]]), torch.tensor([0, 1]))
        tensor(0.2500)
    """
    check_num_bins(num_bins)
    labels = LabelSpace(scores.shape[-1], None, ignore_index).checked()
    check_score_rows(scores, len(labels.check(target, "target")), labels.num_classes)
    label, confidence = confidences(scores)
    return calibration_details(confidence, label, target, labels, num_bins)["error"]

"""Sums and means of frames and segments by video."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gad_lightning.errors import SettingError

RiskOf = Literal["missed", "false_alarms"]


def video_means(values: Tensor, known: Tensor, video: Tensor, num_videos: int) -> Tensor:
    """Mean over the known frames of each video: (K,) float64, ``nan`` where there is none.

    Args:
        values: (F,) float64.
        known: (F,) bool.
        video: (F,) in 0..K-1.
        num_videos: K.

    Example:
        >>> video_means(torch.tensor([1.0, 3.0]).double(), torch.tensor([True, True]), torch.tensor([0, 0]), 2)
        tensor([2., nan], dtype=torch.float64)
    """
    sums = torch.zeros(num_videos, dtype=torch.float64).index_add_(0, video[known], values[known])
    return sums / torch.bincount(video[known], minlength=num_videos)


def video_losses(loss: RiskOf, missed: Tensor, segments: Tensor, alarms: Tensor, hours: Tensor) -> Tensor:
    """Loss of each video: (K,) float64; 0 where there is nothing to lose.

    Args:
        loss: ``missed``, the share of its segments that are, or ``false_alarms`` an hour.
        missed: (K,) true segments that are never found.
        segments: (K,) true segments.
        alarms: (K,) false alarms.
        hours: (K,) hours of known truth.

    Example:
        >>> counts = [torch.tensor([part]) for part in (1, 4, 3, 0.5)]
        >>> video_losses("missed", *counts), video_losses("false_alarms", *counts)
        (tensor([0.2500], dtype=torch.float64), tensor([6.], dtype=torch.float64))
    """
    if loss == "missed":
        return missed.double() / segments.clamp(min=1)
    return torch.where(hours > 0, alarms / hours.double().clamp(min=1e-300), 0.0)


def check_risk(loss: str, largest: float) -> None:
    """Refuse a loss that is none.

    Raises:
        SettingError: naming the setting and its value.
    """
    if loss not in ("missed", "false_alarms"):
        raise SettingError(f"loss is {loss!r}.", "set it to 'missed' or 'false_alarms'")
    if loss == "missed" and largest != 1:
        raise SettingError(f"A share of missed segments is at most 1, got largest={largest}.", "leave largest out")
    if not largest > 0:
        raise SettingError(f"largest is {largest}.", "give the loss at which a video's loss is cut off, above 0")

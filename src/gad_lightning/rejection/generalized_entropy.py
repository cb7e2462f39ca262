"""Entropy that minds small probabilities."""

from __future__ import annotations

from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.rejection.base import RejectionScore

LEAST = 1e-7
"""Probabilities are held this far from 0 and 1."""


class GeneralizedEntropyScore(RejectionScore):
    """Mean of ``(p (1 - p)) ** gamma`` over the largest probabilities.

    The paper sums; the mean ranks alike, and does not grow with the number of classes.

    Args:
        gamma: above 0; small values mind small probabilities.
        classes: how many of the largest probabilities count; all if None, as is right for up to some hundred.

    Raises:
        SettingError: if a setting is out of its range.

    Source: Liu et al., GEN, CVPR 2023.
    """

    def __init__(self, gamma: float = 0.1, classes: int | None = None) -> None:
        super().__init__()
        if not gamma > 0 or (classes is not None and classes < 1):
            raise SettingError(
                f"GeneralizedEntropyScore wants gamma above 0 and at least 1 class, got {gamma} and {classes}.",
                "0.1 and null are usual",
            )
        self.gamma, self.classes = gamma, classes

    def forward(self, states: Tensor, logits: Tensor) -> Tensor:
        """(Q, H), (Q, C) -> (Q,)."""
        probabilities = logits.float().softmax(1).clamp(LEAST, 1 - LEAST)
        if self.classes is not None:
            probabilities = probabilities.topk(min(self.classes, probabilities.shape[1]), dim=1).values
        return (probabilities.pow(self.gamma) * (1 - probabilities).pow(self.gamma)).mean(1)

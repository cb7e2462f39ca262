"""The largest probability."""

from __future__ import annotations

from torch import Tensor

from gad_lightning.rejection.base import RejectionScore


class MaxSoftmaxScore(RejectionScore):
    """The negative of the largest probability, in [-1, 0].

    Source: Hendrycks and Gimpel, ICLR 2017 (arXiv 1610.02136).
    """

    def forward(self, states: Tensor, logits: Tensor) -> Tensor:
        """(Q, H), (Q, C) -> (Q,)."""
        return -logits.float().softmax(1).amax(1)

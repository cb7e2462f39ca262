"""The largest logit."""

from __future__ import annotations

from torch import Tensor

from gad_lightning.rejection.base import RejectionScore


class MaxLogitScore(RejectionScore):
    """The negative of the largest logit.

    Source: Hendrycks et al., ICML 2022 (arXiv 1911.11132).
    """

    def forward(self, states: Tensor, logits: Tensor) -> Tensor:
        """(Q, H), (Q, C) -> (Q,)."""
        return -logits.float().amax(1)

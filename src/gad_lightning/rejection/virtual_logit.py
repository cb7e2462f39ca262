"""What lies outside the space of the training states, against what the classes say."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.rejection.base import RejectionScore


class ViMScore(RejectionScore):
    """A virtual logit, the length of the state outside the training's principal space, less the energy of the others.

    States are taken from the head's own origin where that is known, as of a :class:`LinearHead`, else from 0.

    Args:
        dimensions: of the principal space; half of H, or of the segments where that is less, if None.

    Raises:
        SettingError: if there is no dimension.

    Source: Wang et al., ViM, CVPR 2022 (arXiv 2203.10807).
    """

    origin: Tensor
    outside: Tensor
    alpha: Tensor

    def __init__(self, dimensions: int | None = None) -> None:
        super().__init__()
        if dimensions is not None and dimensions < 1:
            raise SettingError(f"dimensions of ViMScore must be at least 1, got {dimensions}.", "null is usual")
        self.dimensions = dimensions

    def fit(self, states: Tensor, logits: Tensor, labels: Tensor, origin: Tensor | None = None) -> None:
        """Find the space outside, and the scale at which the virtual logit is as large as the largest one on average.

        Raises:
            DataError: if there are not even two segments.
            SettingError: if the principal space is the whole space, or the logits are log-probabilities.
        """
        self.check_enough(len(states), 2)
        rows, width = states.double(), states.shape[1]
        count = min(len(rows), width) // 2 if self.dimensions is None else self.dimensions
        if count >= width:
            raise SettingError(
                f"dimensions of ViMScore is {count}, and states have {width} numbers: nothing lies outside.",
                "make it smaller, or leave it out",
            )
        start = rows.new_zeros(width) if origin is None else origin.double().to(rows.device)
        away = rows - start
        outside = torch.linalg.eigh(away.T @ away / len(rows)).eigenvectors[:, : width - count]
        largest = logits.double().amax(1).mean()
        if not largest > 0:
            raise SettingError(
                f"ViMScore wants logits above 0; the largest ones of the training are {float(largest):.3g} on average.",
                "take NeighborScore: a classifier that writes its answer gives log-probabilities",
            )
        lengths = (away @ outside).norm(dim=1).mean()
        self.keep(origin=start, outside=outside, alpha=largest / lengths.clamp_min(1e-12))

    def forward(self, states: Tensor, logits: Tensor) -> Tensor:
        """(Q, H), (Q, C) -> (Q,)."""
        lengths = ((states.float() - self.origin) @ self.outside).norm(dim=1)
        score: Tensor = self.alpha * lengths - logits.float().logsumexp(1)
        return score

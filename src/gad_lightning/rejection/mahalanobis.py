"""The distance to the nearest class, in spreads."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.rejection.base import RejectionScore


class MahalanobisScore(RejectionScore):
    """Half the squared distance to the nearest class mean, by one covariance of all classes.

    Args:
        shrinkage: share of the mean variance that is added to every variance, at least 0: with fewer segments than H a
            covariance has directions of no variance, in which any distance would be infinite.

    Raises:
        SettingError: if it is below 0.

    Source: Lee et al., NeurIPS 2018 (arXiv 1807.03888), on one layer, without the change of the input.
    """

    means: Tensor
    precision: Tensor

    def __init__(self, shrinkage: float = 0.01) -> None:
        super().__init__()
        if not shrinkage >= 0:
            raise SettingError(f"shrinkage of MahalanobisScore must be 0 or more, got {shrinkage}.", "0.01 is usual")
        self.shrinkage = shrinkage

    def fit(self, states: Tensor, logits: Tensor, labels: Tensor, origin: Tensor | None = None) -> None:
        """Find the mean of each class that occurs, and the spread around them.

        Raises:
            DataError: if there are not even two segments.
            SettingError: if the covariance has no inverse.
        """
        self.check_enough(len(states), 2)
        rows = states.double()
        classes, of_row = labels.to(rows.device).unique(return_inverse=True)
        sums = rows.new_zeros(len(classes), rows.shape[1]).index_add(0, of_row, rows)
        means = sums / torch.bincount(of_row, minlength=len(classes)).unsqueeze(1)
        around = rows - means[of_row]
        covariance = around.T @ around / len(rows)
        covariance += self.shrinkage * covariance.diagonal().mean() * torch.eye(len(covariance), device=rows.device)
        precision, failed = torch.linalg.inv_ex(covariance)
        if bool(failed) or not bool(precision.isfinite().all()):
            raise SettingError(
                f"The covariance of {len(rows)} training segments with {rows.shape[1]} numbers each has no inverse.",
                "raise shrinkage of MahalanobisScore",
            )
        self.keep(means=means, precision=precision)

    def admit(self, states: Tensor) -> None:
        """Take their mean as that of a further class."""
        self.keep(means=torch.cat([self.means, states.float().mean(0, keepdim=True).to(self.means.device)]))

    def forward(self, states: Tensor, logits: Tensor) -> Tensor:
        """(Q, H), (Q, C) -> (Q,)."""
        rows = states.float()
        each = [(((rows - mean) @ self.precision) * (rows - mean)).sum(1) for mean in self.means]
        return torch.stack(each, 1).amin(1) / 2

"""The distance to the nearest training segments."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.rejection.base import RejectionScore

MOST_NEIGHBORS, SHARE, OF_CLASS = 50, 10, 2
"""Neighbors by default: 50, a tenth of the segments, or half of those of the median class, whichever is least."""
ROWS = 1024
"""Queries whose distances are held at once."""


class NeighborScore(RejectionScore):
    """The distance of the state to the ``neighbors``-th nearest of the training segments, both at length 1, in [0, 2].

    A segment is one state, the mean of its frames': frames of a segment are so alike that the nearest ones would all be
    of one.

    Args:
        neighbors: k; if None 50, a tenth of the segments, or half of those of the median class, whichever is least: of
            more neighbors than a class has segments, the last is of another class, and all that is known is far.

    Raises:
        SettingError: if there is no neighbor.

    Source: Sun et al., ICML 2022 (arXiv 2204.06507).
    """

    bank: Tensor
    count: Tensor

    def __init__(self, neighbors: int | None = None) -> None:
        super().__init__()
        if neighbors is not None and neighbors < 1:
            raise SettingError(f"neighbors of NeighborScore must be at least 1, got {neighbors}.", "null is usual")
        self.neighbors = neighbors

    def fit(self, states: Tensor, logits: Tensor, labels: Tensor, origin: Tensor | None = None) -> None:
        """Keep the segments."""
        self.check_enough(len(states), self.neighbors or 1)
        of_class = int(labels.unique(return_counts=True)[1].median())
        usual = max(1, min(MOST_NEIGHBORS, len(states) // SHARE, of_class // OF_CLASS))
        self.keep(bank=_directions(states), count=torch.tensor(float(self.neighbors or usual)))

    def admit(self, states: Tensor) -> None:
        """Keep these segments too."""
        self.keep(bank=torch.cat([self.bank, _directions(states).to(self.bank.device)]))

    def forward(self, states: Tensor, logits: Tensor) -> Tensor:
        """(Q, H), (Q, C) -> (Q,)."""
        count = int(self.count)
        exact = "donot_use_mm_for_euclid_dist"  # products of matrices lose half of the digits of small distances
        found = [
            torch.cdist(rows, self.bank, compute_mode=exact).kthvalue(count, dim=1).values
            for rows in _directions(states).split(ROWS)
        ]
        return torch.cat(found)


def _directions(states: Tensor) -> Tensor:
    """States (n, H) at length 1, in float32."""
    return torch.nn.functional.normalize(states.float(), dim=-1)

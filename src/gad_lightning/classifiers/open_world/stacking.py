"""How much the logits of classes that were never trained must be raised to be chosen as fairly as the others."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.errors import DataError


def best_offset(trained: Tensor, added: Tensor, target: Tensor) -> float:
    """The constant on the added classes' logits whose harmonic mean of both accuracies is largest.

    Args:
        trained: (N, C) logits.
        added: (N, A) logits.
        target: (N,) int64 class, those from C on the added ones.

    Raises:
        DataError: if no row, or every row, is of a trained class.

    Example:
        >>> best_offset(torch.tensor([[3.0], [2.0]]), torch.tensor([[0.0], [1.0]]), torch.tensor([0, 1]))
        2.0
    """
    size = trained.shape[1]
    new = target >= size
    if not bool(new.any()) or bool(new.all()):
        raise DataError(
            f"Of {len(target)} labeled frames {int(new.sum())} are of added classes: both kinds are needed.",
            "give validation videos that show trained and added classes",
        )
    best_trained, best_added = trained.max(1), added.max(1)
    right = torch.where(new, best_added.indices + size, best_trained.indices) == target
    margin = (best_trained.values - best_added.values).double()  # below the constant an added class is said
    # a class counts once, however many frames it has
    weight = right.double() / torch.bincount(target)[target]
    steps = margin.unique()
    tried = torch.cat([steps[:1] - 1, (steps[1:] + steps[:-1]) / 2, steps[-1:] + 1])
    seen = (weight[~new].sum() - _below(margin[~new], weight[~new], tried)) / len(target[~new].unique())
    unseen = _below(margin[new], weight[new], tried) / len(target[new].unique())
    mean = 2 * seen * unseen / (seen + unseen).clamp_min(1e-12)
    best = (mean >= mean.max() - 1e-12).nonzero().squeeze(1)
    return float(tried[best[len(best) // 2]])


def _below(margin: Tensor, weight: Tensor, limits: Tensor) -> Tensor:
    """Sum of the weights of what lies below each limit: (N,), (N,), (L,) -> (L,)."""
    ordered, order = margin.sort()
    sums = torch.cat([weight.new_zeros(1), weight[order].cumsum(0)])
    return sums[torch.searchsorted(ordered, limits)]

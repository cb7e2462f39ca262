"""States in the plane: exact t-SNE for some hundred points, and two figures that need no picture."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.errors import SettingError


def tsne(states: Tensor, perplexity: float = 30.0, steps: int = 500) -> Tensor:
    """Lay states out in the plane so that neighbors stay neighbors: (M, H) -> (M, 2) float64.

    Exact, so time and memory grow with M squared: some hundred points, not thousands. The start is the first two
    principal components and a small noise that parts equal states, the same every time.

    Args:
        states: at least 4 rows; standardized before.
        perplexity: about how many neighbors count, at most (M - 1) / 3.
        steps: of gradient descent.

    Raises:
        SettingError: if there are too few states.

    Source: van der Maaten and Hinton, JMLR 2008; start and early exaggeration as Kobak and Berens, 2019.
    """
    count = len(states)
    if count < 4:
        raise SettingError(f"t-SNE needs at least 4 states, got {count}.", "keep more of them")
    rows = standardized(states.double())
    near = _affinities(torch.cdist(rows, rows).square(), min(perplexity, (count - 1) / 3))
    _, _, axes = torch.linalg.svd(rows, full_matrices=False)
    place: Tensor = rows @ axes[:2].T
    noise = torch.randn(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    place = (place / place[:, 0].std().clamp(min=1e-12) + 1e-2 * noise) * 1e-2
    speed, gain, rate = torch.zeros_like(place), torch.ones_like(place), max(count / 48, 50.0)
    for step in range(steps):
        close = 1 / (1 + torch.cdist(place, place).square())
        close.fill_diagonal_(0)
        pull = (near * (12 if step < steps // 4 else 1) - close / close.sum()) * close
        slope = 4 * (pull.sum(1, keepdim=True) * place - pull @ place)
        gain = torch.where(slope.sign() == speed.sign(), gain * 0.8, gain + 0.2).clamp(min=0.01)
        speed = (0.5 if step < steps // 4 else 0.8) * speed - rate * gain * slope
        place = place + speed
        place -= place.mean(0)
    return place


def standardized(rows: Tensor) -> Tensor:
    """Mean 0 and spread 1 in every column that varies."""
    spread = rows.std(0)
    scaled: Tensor = (rows - rows.mean(0)) / torch.where(spread > 1e-9, spread, torch.ones_like(spread))
    return scaled


def _affinities(squares: Tensor, perplexity: float) -> Tensor:
    """Joint probabilities of being neighbors, (M, M), from squared distances: each row as wide as it must be."""
    count = len(squares)
    low, high = torch.zeros(count, 1, dtype=squares.dtype), torch.full((count, 1), torch.inf, dtype=squares.dtype)
    width, goal = 1 / squares.mean(1, keepdim=True).clamp(min=1e-12), torch.tensor(perplexity).log()
    itself = torch.eye(count, dtype=torch.bool)
    share = squares
    for _ in range(60):
        share = (-squares * width).masked_fill(itself, -torch.inf).softmax(1)
        entropy = -(share * share.clamp(min=1e-30).log()).sum(1, keepdim=True)
        wide = entropy > goal
        low, high = torch.where(wide, width, low), torch.where(wide, high, width)
        width = torch.where(high.isinf(), width * 2, (low + high) / 2)
    return (share + share.T) / (2 * count)


def purity(states: Tensor, labels: Tensor, neighbors: int = 10) -> float:
    """Share of the nearest neighbors of a state that have its label, the mean over states, in [0, 1].

    Example:
        >>> purity(torch.tensor([[0.0], [0.1], [5.0], [5.1]]), torch.tensor([0, 0, 1, 1]), neighbors=1)
        1.0
    """
    far = torch.cdist(states.double(), states.double())
    far.fill_diagonal_(torch.inf)
    nearest = far.topk(min(neighbors, len(states) - 1), largest=False).indices
    return float((labels[nearest] == labels[:, None]).double().mean())


def silhouette(states: Tensor, labels: Tensor) -> float:
    """Mean silhouette of states under their labels, in [-1, 1]; nan with fewer than two labels.

    Source: Rousseeuw, 1987; a label of one state counts as 0.

    Example:
        >>> round(silhouette(torch.tensor([[0.0], [0.1], [5.0], [5.1]]), torch.tensor([0, 0, 1, 1])), 3)
        0.98
    """
    kinds, place, sizes = labels.unique(return_inverse=True, return_counts=True)
    if len(kinds) < 2:
        return float("nan")
    far = torch.cdist(states.double(), states.double())
    total = torch.zeros(len(states), len(kinds), dtype=far.dtype).index_add_(1, place, far)
    own, rows = sizes[place], torch.arange(len(states))
    inside = total[rows, place] / (own - 1).clamp(min=1)
    means = total / sizes
    means[rows, place] = torch.inf
    outside = means.min(1).values
    value = (outside - inside) / torch.maximum(inside, outside).clamp(min=1e-12)
    return float(torch.where(own > 1, value, torch.zeros_like(value)).mean())

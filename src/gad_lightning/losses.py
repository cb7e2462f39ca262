"""Class loss, token loss, background weight: pure functions that return a sum and its count."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from gad_lightning.types import IGNORED, Loss, first_class


def query_weights(label: Tensor, background: Tensor, weight: float) -> Tensor:
    """Weight of each query: ``weight`` where its label is the background, 1 elsewhere.

    Args:
        label: (Q,) int64, or multi-hot (Q, C): the first class counts.
        background: (Q,) int64, background index of each query's label set, -1 for none.
        weight: of background queries.
    """
    return torch.where(first_class(label) == background, weight, 1.0)


def class_loss(logits: Tensor, label: Tensor, weight: Tensor) -> Loss:
    """Weighted cross entropy over the scored queries, divided by their number and not by their weights.

    Args:
        logits: (Q, C).
        label: (Q,) int64 with IGNORED, or multi-hot (Q, C) float, for which it is binary cross entropy over
            classes; a row with IGNORED is not scored.
        weight: (Q,) float.

    Source: the published losses of Pang et al., ICLR 2026.
    """
    if label.dim() == 2:
        known = (label >= 0).all(1)
        each = binary_cross_entropy_with_logits(logits.float(), label.clamp(min=0).float(), reduction="none").sum(1)
        return Loss((each * weight * known).sum(), known.sum().to(each.dtype))
    each = cross_entropy(logits.float(), label, ignore_index=IGNORED, reduction="none")
    scored = label != IGNORED
    return Loss((each * weight).sum(), scored.sum().to(each.dtype))


def token_weights(query: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of supervised tokens, by which their losses are summed: a query's weight over the number of its tokens.

    So the mean is over tokens first and then over queries, and long labels weigh no more.

    Args:
        query: (n,) int64, the query each token belongs to, below ``len(weight)``.
        weight: (Q,) float.

    Returns:
        (n,) float, and the number of queries with a token, by which the sum is divided: () float.

    Source: the published losses of Pang et al., ICLR 2026.
    """
    number = torch.zeros_like(weight).index_add(0, query, torch.ones_like(weight)[query])
    return (weight / number.clamp(min=1))[query], (number > 0).sum().to(weight.dtype)


def divergence(base: Tensor, tuned: Tensor) -> Tensor:
    """KL(base || tuned) of next-token distributions, in nats: (n,) float32, at least 0 up to rounding.

    Args:
        base: (n, V) logits, all finite.
        tuned: (n, V') logits, V' at least V; what is behind the first V tokens is new to it.
    """
    held = base.float().log_softmax(1)
    found = tuned.float().log_softmax(1)[:, : base.shape[1]]
    return (held.exp() * (held - found)).sum(1)

"""The scores again, in plain numpy, as pytorch-ood 0.4 computes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def softmax(logits: Array) -> Array:
    """Row by row."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def logsumexp(logits: Array) -> Array:
    """Row by row."""
    top = logits.max(1)
    return top + np.log(np.exp(logits - top[:, None]).sum(1))


def generalized_entropy(logits: Array, gamma: float = 0.1) -> Array:
    """Of all classes."""
    p = softmax(logits).clip(1e-7, 1 - 1e-7)
    return (p**gamma * (1 - p) ** gamma).mean(1)


def neighbors(states: Array, training: Array, k: int) -> Array:
    """Distance to the k-th nearest, both at length 1."""
    a, b = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (states, training))
    return np.sort(np.linalg.norm(a[:, None] - b[None], axis=-1), axis=1)[:, k - 1]


def mahalanobis(states: Array, training: Array, labels: NDArray[np.int64]) -> Array:
    """By the covariance of all classes; the package leaves out the division by the number of rows."""
    means = np.stack([training[labels == label].mean(0) for label in np.unique(labels)])
    around = training - means[np.searchsorted(np.unique(labels), labels)]
    inverse = np.linalg.inv(around.T @ around / len(training))
    away = states[:, None] - means[None]
    return 0.5 * np.einsum("qch,hk,qck->qc", away, inverse, away).min(1)


def vim(states: Array, training: Array, weight: Array, bias: Array, dimensions: int) -> Array:
    """With the origin of a linear head."""
    origin = -np.linalg.pinv(weight) @ bias
    away = training - origin
    _, vectors = np.linalg.eigh(away.T @ away / len(training))
    outside = vectors[:, : away.shape[1] - dimensions]
    alpha = (training @ weight.T + bias).max(1).mean() / np.linalg.norm(away @ outside, axis=1).mean()
    lengths = np.linalg.norm((states - origin) @ outside, axis=1)
    return alpha * lengths - logsumexp(states @ weight.T + bias)

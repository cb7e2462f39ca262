"""Training segments and queries of a linear head, as torch and as numpy has them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gad_lightning.rejection.base import RejectionScore
from tests.rejection.reference import Array

WIDTH, CLASSES = 8, 4
GENERATOR = torch.Generator().manual_seed(0)
WEIGHT, BIAS = torch.randn(CLASSES, WIDTH, generator=GENERATOR), torch.randn(CLASSES, generator=GENERATOR)
LABELS = torch.arange(60) % CLASSES
TRAINING = torch.randn(60, WIDTH, generator=GENERATOR) + 2 * torch.eye(CLASSES, WIDTH)[LABELS]
STATES = torch.randn(25, WIDTH, generator=GENERATOR)
FAR = 20 * torch.ones(3, WIDTH) * torch.tensor([1.0, -1.0]).repeat(WIDTH // 2)
"""States unlike all others."""
ORIGIN = -(torch.linalg.pinv(WEIGHT.double()) @ BIAS.double())
X, T, W, B = (part.double().numpy() for part in (STATES, TRAINING, WEIGHT, BIAS))
LOGITS = X @ W.T + B


def logits_of(states: Tensor) -> Tensor:
    """Of the linear head."""
    return states @ WEIGHT.T + BIAS


def fitted(score: RejectionScore) -> RejectionScore:
    """The score, fitted to the training segments."""
    score.fit(TRAINING, logits_of(TRAINING), LABELS, ORIGIN)
    return score


def check_equal(score: RejectionScore, expected: Array) -> None:
    """See that a score of the queries is the expected one, but for the rounding of float32."""
    found = fitted(score)(STATES, logits_of(STATES))
    assert found.shape == (len(STATES),)
    np.testing.assert_allclose(found.numpy(), expected, rtol=3e-6, atol=1e-6)


def check_admits(score: RejectionScore) -> None:
    """See that segments which are admitted are known from then on, and nothing becomes less known."""
    before, known = fitted(score)(FAR, logits_of(FAR)), score(STATES, logits_of(STATES))
    score.admit(FAR)
    assert bool((score(FAR, logits_of(FAR)) < 0.01 * before).all())
    assert bool((score(STATES, logits_of(STATES)) <= known + 1e-5).all())

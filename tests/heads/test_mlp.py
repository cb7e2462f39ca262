"""Two layers instead of one."""

from __future__ import annotations

import torch

from gad_lightning.heads.mlp import MLPHead
from gad_lightning.schema import LabelSet

LABELS = LabelSet(("background", "stir", "cut"), 0)


def test_the_layer_between_is_as_wide_as_the_state_unless_told() -> None:
    assert [tuple(weight.shape) for weight in MLPHead(8, LABELS).parameters()] == [(8, 8), (8,), (3, 8), (3,)]
    assert next(MLPHead(8, LABELS, width=5).parameters()).shape == (5, 8)


def test_it_is_no_linear_map() -> None:
    head, states = MLPHead(8, LABELS).eval(), torch.randn(2, 8)
    assert not torch.allclose(head(states[:1] + states[1:]) + head(torch.zeros(1, 8)), head(states).sum(0), atol=1e-3)

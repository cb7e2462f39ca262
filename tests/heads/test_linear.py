"""The paper's head."""

from __future__ import annotations

import torch

from gad_lightning.heads.linear import LinearHead
from gad_lightning.schema import LabelSet

LABELS = LabelSet(("background", "stir", "cut"), 0)


def test_it_is_one_linear_layer_whose_dropout_is_for_training_alone() -> None:
    head, states = LinearHead(8, LABELS, dropout=0.5), torch.randn(4, 8)
    expected = states @ head.project.weight.T + head.project.bias
    assert not torch.allclose(head(states), expected)
    assert torch.allclose(head.eval()(states), expected, atol=1e-6)

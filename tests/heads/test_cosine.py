"""Classes as directions."""

from __future__ import annotations

import torch

from gad_lightning.heads.cosine import CosineHead
from gad_lightning.schema import LabelSet

LABELS = LabelSet(("background", "stir", "cut"), 0)


def test_the_norm_of_a_state_changes_no_cosine() -> None:
    head, states = CosineHead(8, LABELS), torch.randn(4, 8)
    assert torch.allclose(head(states), head(7 * states), atol=1e-4)


def test_logits_are_cosines_times_the_scale() -> None:
    head = CosineHead(2, LABELS, scale=5.0)
    with torch.no_grad():
        head.directions.copy_(torch.tensor([[3.0, 0.0], [0.0, 0.1], [-1.0, 0.0]]))
    assert torch.allclose(head(torch.tensor([[2.0, 0.0]])), torch.tensor([[5.0, 0.0, -5.0]]))

"""Classes as directions, so that frequent ones cannot win by norm."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from gad_lightning.heads.base import ClassifierHead
from gad_lightning.schema import LabelSet


class CosineHead(ClassifierHead):
    """Logits are scaled cosines between the state and one vector per class.

    Args:
        hidden_size: H.
        labels: the classes.
        scale: inverse temperature; cosines lie in [-1, 1], far too flat for a softmax.

    Source: Wang et al., CosFace, CVPR 2018, without the margin.
    """

    def __init__(self, hidden_size: int, labels: LabelSet, scale: float = 20.0) -> None:
        super().__init__(hidden_size, labels)
        self.scale = scale
        self.directions = nn.Parameter(torch.randn(len(labels.names), hidden_size) * hidden_size**-0.5)

    def forward(self, states: Tensor) -> Tensor:
        """(Q, H) -> (Q, C)."""
        return self.scale * linear(normalize(states, dim=-1), normalize(self.directions, dim=-1))

"""Two layers instead of one."""

from __future__ import annotations

from torch import Tensor, nn

from gad_lightning.heads.base import ClassifierHead
from gad_lightning.schema import LabelSet


class MLPHead(ClassifierHead):
    """Linear, GELU, dropout, linear.

    Args:
        hidden_size: H.
        labels: the classes.
        width: of the layer between; H if None.
        dropout: before the last layer, in [0, 1).
    """

    def __init__(self, hidden_size: int, labels: LabelSet, width: int | None = None, dropout: float = 0.0) -> None:
        super().__init__(hidden_size, labels)
        between = hidden_size if width is None else width
        self.layers = nn.Sequential(
            nn.Linear(hidden_size, between), nn.GELU(), nn.Dropout(dropout), nn.Linear(between, len(labels.names))
        )

    def forward(self, states: Tensor) -> Tensor:
        """(Q, H) -> (Q, C)."""
        logits: Tensor = self.layers(states)
        return logits

"""The paper's head."""

from __future__ import annotations

from torch import Tensor, nn

from gad_lightning.heads.base import ClassifierHead, no_logits
from gad_lightning.schema import LabelSet


class LinearHead(ClassifierHead):
    """One linear layer with bias.

    Args:
        hidden_size: H.
        labels: the classes.
        dropout: of the state, in [0, 1).

    Source: Pang et al., ICLR 2026, discriminative classifier.
    """

    def __init__(self, hidden_size: int, labels: LabelSet, dropout: float = 0.0) -> None:
        super().__init__(hidden_size, labels)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(hidden_size, len(labels.names))

    def origin(self) -> Tensor:
        """State (H,) whose logits are nearest to 0."""
        return no_logits(self.project.weight, self.project.bias)

    def forward(self, states: Tensor) -> Tensor:
        """(Q, H) -> (Q, C)."""
        logits: Tensor = self.project(self.dropout(states))
        return logits

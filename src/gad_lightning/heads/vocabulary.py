"""Classes as new tokens of the language model's head."""

from __future__ import annotations

from torch import Tensor, nn

from gad_lightning.heads.base import ClassifierHead
from gad_lightning.schema import LabelSet


class VocabularyHead(ClassifierHead):
    """One output row a class and no bias: what a generative classifier with :class:`SingleTokenLabels` learns.

    With the same opener and rows it gives the same scores as that classifier's readouts.

    Args:
        hidden_size: H.
        labels: the classes.

    Source: Pang et al., ICLR 2026, extended vocabulary.
    """

    def __init__(self, hidden_size: int, labels: LabelSet) -> None:
        super().__init__(hidden_size, labels)
        self.rows = nn.Linear(hidden_size, len(labels.names), bias=False)

    def forward(self, states: Tensor) -> Tensor:
        """(Q, H) -> (Q, C)."""
        logits: Tensor = self.rows(states)
        return logits

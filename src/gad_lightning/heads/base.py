"""The contract of a head."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from gad_lightning.parts import Part
from gad_lightning.schema import LabelSet

TextTower = Callable[[Sequence[str], str | None], Tensor]
"""Vectors (n, E) float32 of n texts, by a sentence encoder of that folder or name; by the language model if None."""


class ClassifierHead(Part, nn.Module):
    """Maps slot states to class logits; made by a factory ``(hidden_size, labels) -> ClassifierHead``.

    Args:
        hidden_size: H.
        labels: the classes, background and ignored ones included.
    """

    def __init__(self, hidden_size: int, labels: LabelSet) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.labels = labels

    def prepare(self, tower: TextTower) -> None:
        """Take what the head needs of texts; called once, while the language model is as it came."""

    def origin(self) -> Tensor | None:
        """State (H,) at which no class has a logit, as nearly as can be; None where that is unknown."""
        return None

    def forward(self, states: Tensor) -> Tensor:
        """Map states (Q, H) to logits (Q, C); Q may be 0."""
        raise NotImplementedError

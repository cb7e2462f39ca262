"""From frame features to the language model's width."""

from __future__ import annotations

from torch import Tensor, nn

from gad_lightning.parts import Part


class Connector(Part, nn.Module):
    """Base of connectors; made by a factory ``(width, hidden_size) -> Connector``."""

    def forward(self, frames: Tensor) -> Tensor:
        """Map visual tokens, (n, D) -> (n, H)."""
        raise NotImplementedError


class MLPConnector(Connector):
    """Linear, GELU, linear, as LLaVA 1.5 and the paper have it.

    Args:
        width: D of the features.
        hidden_size: H of the language model.
    """

    def __init__(self, width: int, hidden_size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, hidden_size), nn.GELU(), nn.Linear(hidden_size, hidden_size))

    def forward(self, frames: Tensor) -> Tensor:
        """Map visual tokens, (n, D) -> (n, H)."""
        mapped: Tensor = self.layers(frames)
        return mapped

"""A small causal transformer without a language model: attention alone, trained from nothing.

python experiments/baselines/transformer.py runs/hapt --window 32
"""

from __future__ import annotations

import math

import torch
from baseline import Baseline, main
from torch import Tensor, nn

from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch


class CausalTransformer(Baseline):
    """Layers of causal attention with sine positions, and a linear head.

    Args:
        schema: classes and features.
        units: width of the states, even.
        layers: how many.
        heads: of attention.
    """

    def __init__(self, schema: DataSchema, units: int = 64, layers: int = 2, heads: int = 4) -> None:
        super().__init__(schema, lr=1e-3)
        self.units = units
        self.embed = nn.Linear(self.width, units)
        layer = nn.TransformerEncoderLayer(units, heads, 4 * units, dropout=0.1, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(units), enable_nested_tensor=False)
        self.head = nn.Linear(units, self.num_classes)

    def logits(self, frames: Tensor, batch: Batch) -> Tensor:
        """Logits of the queries, (Q, C)."""
        length = frames.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        states = self.layers(self.embed(frames) + self.positions(length), mask=mask, is_causal=True)
        logits: Tensor = self.head(states[batch.sample, batch.anchor])
        return logits

    def positions(self, length: int) -> Tensor:
        """Sines and cosines of the frame number, (length, units)."""
        rate = torch.exp(torch.arange(0, self.units, 2) * (-math.log(10_000.0) / self.units))
        angle = torch.arange(length).unsqueeze(1) * rate
        return torch.stack([angle.sin(), angle.cos()], 2).flatten(1)


if __name__ == "__main__":
    main(CausalTransformer, "transformer", __doc__)

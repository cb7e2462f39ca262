"""A causal GRU on the features alone: what a language model must beat.

    python experiments/baselines/gru.py runs/hapt --window 32
    python experiments/baselines/gru.py runs/hapt                  # the whole past

A window of n frames means that the state starts from zero n frames before each answer; without one it runs through the
whole recording.
"""

from __future__ import annotations

from baseline import Baseline, main
from torch import Tensor, nn

from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch


class CausalGRU(Baseline):
    """One GRU layer and a linear head.

    Args:
        schema: classes and features.
        units: of the state.
    """

    def __init__(self, schema: DataSchema, units: int = 128) -> None:
        super().__init__(schema)
        self.gru = nn.GRU(self.width, units, batch_first=True)
        self.head = nn.Linear(units, self.num_classes)

    def logits(self, frames: Tensor, batch: Batch) -> Tensor:
        """Logits of the queries, (Q, C)."""
        states, _ = self.gru(frames)
        logits: Tensor = self.head(states[batch.sample, batch.anchor])
        return logits


if __name__ == "__main__":
    main(CausalGRU, "gru", __doc__)

"""Logistic regression on the frames of the window: what the features say by themselves.

    python experiments/baselines/logistic.py runs/hapt --window 32

Each frame of the window has weights of its own for every class, counted back from the answer; without a window only the
frame asked about counts.
"""

from __future__ import annotations

import torch
from baseline import WHOLE, Baseline, main
from torch import Tensor, nn

from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch


class LogisticRegression(Baseline):
    """One linear layer on the window, weights of its own for each frame.

    Args:
        schema: classes, features and window.
    """

    def __init__(self, schema: DataSchema) -> None:
        super().__init__(schema, lr=1e-3, weight_decay=1e-4)
        self.shown = 1 if schema.windows.chunk == WHOLE else self.window
        self.head = nn.Linear(self.shown * self.width, self.num_classes)
        nn.init.zeros_(self.head.weight)

    def logits(self, frames: Tensor, batch: Batch) -> Tensor:
        """Logits of the queries, (Q, C); frames before the first of the video are 0."""
        back = batch.anchor.unsqueeze(1) - torch.arange(self.shown)
        shown = frames[batch.sample.unsqueeze(1), back.clamp(min=0)] * (back >= 0).unsqueeze(2)
        logits: Tensor = self.head(shown.flatten(1))
        return logits


if __name__ == "__main__":
    main(LogisticRegression, "logistic", __doc__)

"""A causal GRU on the features alone: what a language model must beat.

    python experiments/baselines/gru.py runs/hapt --window 32
    python experiments/baselines/gru.py runs/hapt                  # the whole past

It reads the batches of the same DataModule and is scored by the same metrics. A window of n frames means that the
state starts from zero n frames before each answer; without one it runs through the whole recording.
"""

from __future__ import annotations

import argparse
import json
import logging

import lightning
import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from gad_lightning.classifiers.evaluation import Evaluation
from gad_lightning.data.own import OwnVideos
from gad_lightning.losses import class_loss
from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch, Predictions

WHOLE = 1_000_000
"""Frames of a chunk that holds any recording."""


class CausalGRU(LightningModule):
    """One GRU layer and a linear head.

    Args:
        schema: classes and features.
        units: of the state.
        lr: learning rate of Adam.
    """

    def __init__(self, schema: DataSchema, units: int = 128, lr: float = 3e-3) -> None:
        super().__init__()
        spec = schema.features
        self.lr = lr
        self.register_buffer("mean", torch.tensor(spec.mean))
        self.register_buffer("std", torch.tensor(spec.std))
        self.gru = nn.GRU(spec.width * spec.tokens_per_frame, units, batch_first=True)
        self.head = nn.Linear(units, len(schema.tasks[0].labels.names))
        self.evaluation = Evaluation(schema)

    def forward(self, batch: Batch) -> Tensor:
        """Logits of the queries, (Q, C)."""
        frames = ((batch.frames - self.mean) / self.std).flatten(2)
        states, _ = self.gru(frames)
        logits: Tensor = self.head(states[batch.sample, batch.anchor])
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Cross entropy."""
        total, number = class_loss(self(batch), batch.label, torch.ones(len(batch.label)))
        return total / number.clamp(min=1)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect predictions."""
        scores = self(batch).log_softmax(1)
        self.evaluation.update(
            Predictions(batch.video, batch.ordinal, batch.task, batch.moment, batch.label, scores, scores, scores)
        )

    def on_test_epoch_end(self) -> None:
        """Log."""
        self.log_dict({f"test/{name}": value for name, value in self.evaluation.compute().items()})

    validation_step, on_validation_epoch_end = test_step, on_test_epoch_end

    def configure_optimizers(self) -> Optimizer:
        """Adam."""
        return Adam(self.parameters(), lr=self.lr)


def run(root: str, window: int | None, seed: int, steps: int) -> dict[str, float]:
    """Train and test once."""
    lightning.seed_everything(seed, verbose=False)
    if window is None:
        shape = {"mode": "one_pass", "window": 1, "chunk": WHOLE, "batch_size": 8}
    else:
        shape = {"mode": "window", "window": window, "stride": window // 2, "batch_size": 64, "eval_batch_size": 1024}
    data = OwnVideos(root, seed=seed, **shape)
    model = CausalGRU(data.schema)
    trainer = lightning.Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator="cpu",
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        limit_val_batches=0,
    )
    trainer.fit(model, data)
    return {name: float(value) for name, value in trainer.test(model, data, verbose=False)[0].items()}


def main() -> None:
    """Print one line of JSON a seed."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("--window", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=600)
    given = parser.parse_args()
    for seed in given.seeds:
        scores = run(given.root, given.window, seed, given.steps)
        print(json.dumps({"model": "gru", "window": given.window, "seed": seed, "steps": given.steps, **scores}))


if __name__ == "__main__":
    main()

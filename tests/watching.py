"""A callback that notes what a run really does, for tests of configs."""

from __future__ import annotations

from typing import Any, ClassVar

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback


class Watch(Callback):
    """Keeps the last run's trainer, classifier and data, and its learning rates and batches by optimizer step."""

    run: ClassVar[Watch]

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.batches: list[Any] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep what is to be looked at."""
        type(self).run = self
        self.classifier: Any = pl_module
        self.data: Any = trainer.datamodule
        self.optimizer = trainer.optimizers[0]
        self.accumulate = trainer.accumulate_grad_batches
        self.clip = trainer.gradient_clip_val
        self.steps = int(trainer.estimated_stepping_batches)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Keep the batch."""
        self.batches.append(batch)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        """Note the learning rate."""
        self.rates.append(optimizer.param_groups[0]["lr"])

"""Two stages: learn to write first, then to classify."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from gad_lightning.classifiers.ablations.orders import Order, OrderedGADClassifier
from gad_lightning.classifiers.schedule import scale_at
from gad_lightning.errors import SettingError
from gad_lightning.objectives.write_answer import WriteAnswer
from gad_lightning.types import UNANSWERED, Batch, Loss


class TwoStageClassifier(OrderedGADClassifier):
    """GAD's losses one after the other: the text alone, then the class alone.

    The published code has no script for this, so it is our reading. The first stage trains LoRA, connector and label
    tokens on the text, as :class:`~gad_lightning.GenerativeClassifier` does: the text hangs off the frames beside the
    slot, not after it. The second stage trains the head and the learned vectors ([CLS]) on the class loss; it trains
    LoRA and connector too unless they are frozen. Each stage has a warm-up and a schedule of its own, and both together
    have the steps of one run. Scoring is inherited.

    Args:
        first_fraction: fraction of the optimizer steps that belong to the first stage, in (0, 1).
        freeze_trunk: leave LoRA and connector as the first stage left them.
        order: of slot and text in the first stage, see :class:`OrderedGADClassifier`.
        **gad: see :class:`~gad_lightning.GADClassifier`; further objectives belong to the second stage.

    Raises:
        SettingError: if ``first_fraction`` leaves a stage without steps.

    Source: Pang et al., ICLR 2026, ablation "two-stage": the generation first, then frozen; it fails there.
    """

    def __init__(
        self, first_fraction: float = 0.5, freeze_trunk: bool = True, order: Order = "parallel", **gad: Any
    ) -> None:
        if not 0 < first_fraction < 1:
            raise SettingError(
                f"first_fraction is a part of the steps and must lie between 0 and 1, got {first_fraction}.",
                "0.5 is even",
            )
        super().__init__(order=order, **gad)
        self.first_fraction, self.freeze_trunk = first_fraction, freeze_trunk

    def steps_of_run(self) -> int:
        """Optimizer steps of both stages.

        Raises:
            SettingError: if nobody knows how long the run is.
        """
        if self.trainer.estimated_stepping_batches == float("inf"):
            raise SettingError("Two stages need to know how long a run is.", "set trainer.max_epochs or max_steps")
        return super().steps_of_run()

    @property
    def first_steps(self) -> int:
        """Optimizer steps of the first stage."""
        return round(self.first_fraction * self.steps_of_run())

    @property
    def stage(self) -> int:
        """1 while the text is learned, 2 while the class is; 1 outside a run."""
        return 1 if self._trainer is None else 1 + (self.trainer.global_step >= self.first_steps)

    def losses(self, batch: Batch) -> dict[str, Loss]:
        """The losses of both stages, those of the other one times 0, so that every process computes the same."""
        if self.stage == 2:
            batch = batch._replace(uniform=torch.full_like(batch.uniform, UNANSWERED))
        return {
            name: loss if (name == WriteAnswer.name) == (self.stage == 1) else loss.scaled(0.0)
            for name, loss in super().losses(batch).items()
        }

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Take the gradients from what this stage leaves alone: an optimizer passes over weights that have none."""
        super().on_before_optimizer_step(optimizer)
        for name, weight in self.named_parameters():
            trunk = name.startswith("backbone.") and not name.startswith("backbone.new_tokens.")
            own = not name.startswith("backbone.")
            if (own and self.stage == 1) or (trunk and self.stage == 2 and self.freeze_trunk):
                weight.grad = None

    def rate_at(self, step: int) -> float:
        """Factor of the learning rate: each stage has a warm-up and a schedule of its own."""
        first = round(self.first_fraction * self.steps)
        begin, end = (0, first) if step < first else (first, self.steps)
        return scale_at(step - begin, end - begin, self.warmup, self.schedule)

"""Which weights are optimized, and at what learning rate in each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lightning import LightningModule
from lightning.pytorch.callbacks import BaseFinetuning, ModelPruning, StochasticWeightAveraging, WeightAveraging
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from gad_lightning.backbones.base import Backbone
from gad_lightning.classifiers.finite import check_settings
from gad_lightning.classifiers.saving.recorded_optimizer import Description, describe_optimizer
from gad_lightning.classifiers.schedule import PaperAdamW, Then, scale_at, usual_rate
from gad_lightning.errors import SettingError


class Optimized(LightningModule):
    """Mixin of the classifiers: one optimizer over all that is trained, with a warm-up and a schedule in steps."""

    backbone: Backbone
    make_optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]
    schedule: Then
    warmup: float
    found_lr: float | None = None
    steps = 1
    optimizer_made: Description | None = None
    """What the weights were trained by, of this run or of the checkpoint they come from."""

    @property
    def lr(self) -> float | None:
        """Learning rate after the warm-up, if a learning-rate finder has set it; None leaves the optimizer's own."""
        return self.found_lr

    @lr.setter
    def lr(self, lr: float | None) -> None:
        self.found_lr = lr
        if lr is None or self._trainer is None:
            return
        for config in self.trainer.lr_scheduler_configs:
            assert isinstance(config.scheduler, LambdaLR), "configure_optimizers made it"
            config.scheduler.base_lrs = [lr] * len(config.scheduler.base_lrs)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Optimize what is trained, with warm-up and schedule in steps; a rate left open is chosen by the width.

        Raises:
            SettingError: if the run has no end, by which the schedule is stretched, the optimizer refuses a setting,
                steps would lead upward or nowhere, or quantized weights would be averaged.
        """
        self.check_average()
        self.check_steps()
        self.steps = self.steps_of_run()
        try:
            optimizer = self.make_optimizer([weight for weight in self.parameters() if weight.requires_grad])
        except (ValueError, TypeError) as error:
            raise SettingError(f"model.optimizer cannot be made: {error}", "correct its settings") from error
        if isinstance(optimizer, PaperAdamW) and optimizer.rate_is_open:
            optimizer.choose_rate(usual_rate(self.backbone.hidden_size))
            if self.found_lr is None:
                rank_zero_info(
                    f"Learning rate {optimizer.defaults['lr']:.2g}, by the hidden size {self.backbone.hidden_size} of "
                    "the language model; the optimizer's lr sets another one."
                )
        if self.found_lr is not None:
            for group in optimizer.param_groups:
                group["lr"] = self.found_lr
        self.optimizer_made = describe_optimizer(optimizer)
        check_settings(self.optimizer_made, type(optimizer).__name__)
        scheduler = LambdaLR(optimizer, self.rate_at)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def check_average(self) -> None:
        """Refuse an average of weights that are whole numbers: it would round frozen ones away from what they are.

        And callbacks that choose for themselves which weights are trained, or rename them: no checkpoint could be read.

        Raises:
            SettingError: naming callback and setting.
        """
        callbacks = self.trainer.callbacks  # type: ignore[attr-defined]  # set, but not declared
        others = [
            type(callback).__name__ for callback in callbacks if isinstance(callback, BaseFinetuning | ModelPruning)
        ]
        if others:
            raise SettingError(
                f"trainer.callbacks has {others[0]}, which changes what is trained: no checkpoint could be read again.",
                "leave it out; backbone.lora says which weights of the language model are trained",
            )
        averaging = WeightAveraging | StochasticWeightAveraging
        names = [type(callback).__name__ for callback in callbacks if isinstance(callback, averaging)]
        if names and not all(weight.is_floating_point() for weight in self.parameters()):
            raise SettingError(
                f"trainer.callbacks has {names[0]}, which would average quantized weights too, and round them.",
                "leave it out, or set backbone.quantization to null",
            )

    def check_steps(self) -> None:
        """Refuse settings of steps that cannot be, which the trainer takes without a word.

        Raises:
            SettingError: naming the setting and its value.
        """
        trainer, clip = self.trainer, self.trainer.gradient_clip_val
        if not 0 <= self.warmup < 1:
            raise SettingError(f"model.warmup must lie in [0, 1), got {self.warmup}.", "0.1 is usual, 0 for none")
        if clip is not None and not clip >= 0:
            raise SettingError(f"trainer.gradient_clip_val is {clip}: steps would lead upward.", "1.0 is usual")
        if trainer.accumulate_grad_batches < 1:
            raise SettingError(
                f"trainer.accumulate_grad_batches must be at least 1, got {trainer.accumulate_grad_batches}.",
                "use 1 for a step after every batch",
            )

    def steps_of_run(self) -> int:
        """Optimizer steps of the whole run.

        Raises:
            SettingError: if the run has no end.
        """
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf"):
            raise SettingError("The schedule of the learning rate needs a run that ends.", "set trainer.max_epochs")
        return int(steps)

    def rate_at(self, step: int) -> float:
        """Factor of the learning rate at a step of the run, in [0, 1]."""
        return scale_at(step, self.steps, self.warmup, self.schedule)

    def on_train_start(self) -> None:
        """Count the steps again, and take the rate of the first one: a finder may have changed batch size or rate."""
        self.steps = self.steps_of_run()
        if self.found_lr is None:
            return
        for config in self.trainer.lr_scheduler_configs:
            assert isinstance(config.scheduler, LambdaLR), "configure_optimizers made it"
            for group, rate in zip(config.scheduler.optimizer.param_groups, config.scheduler.base_lrs, strict=True):
                group["lr"] = rate * self.rate_at(config.scheduler.last_epoch)

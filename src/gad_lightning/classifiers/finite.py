"""A run whose numbers are nan or infinite stops at that step, and is never saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor
from torch.optim import Optimizer

from gad_lightning.data.base import ActionDataModule
from gad_lightning.errors import NotFiniteError, SettingError
from gad_lightning.training.distribution import gradient_norm
from gad_lightning.types import Batch

VIDEOS = 8
"""Most videos of a batch that a message names."""
SMALLER = "make the learning rate smaller or set trainer.gradient_clip_val to 1.0"
"""The remedy for numbers that grew too large."""
WIDER = (
    "set trainer.precision to bf16-mixed or 32-true (under 16-true the optimizer divides by squares of gradients that "
    "float16 rounds to 0)"
)
"""The remedy where float16 has no room for them."""


class FiniteTraining(Callback):
    """Looks at the loss and the gradients before every optimizer step; every classifier brings this callback with it.

    The weights are then still those of the step before, and the checkpoints saved before stay as they are. It costs one
    wait for the device a step. Under ``16-mixed`` gradients may overflow, as the scaler leaves such steps out: there
    only the loss counts.
    """

    def __init__(self) -> None:
        self.losses: list[Tensor] = []
        self.videos: list[Tensor] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Note the batch's videos."""
        self.videos.append(batch.video)

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Note the loss."""
        self.losses.append(loss.detach())

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Stop before a step that would make weights of what is no number.

        Raises:
            NotFiniteError: naming step, loss, norm of the gradients, and videos.
        """
        losses, videos = torch.stack(self.losses) if self.losses else torch.zeros(1), self.videos
        self.losses, self.videos = [], []
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        norm = gradient_norm(weights)
        if bool((losses.sum() + norm).isfinite()):
            return
        scaled = isinstance(trainer.precision_plugin, MixedPrecision) and trainer.precision_plugin.scaler is not None
        if bool(losses.isfinite().all()) and (scaled or all(_is_finite(weight.grad) for weight in weights)):
            return  # the square of a large norm has no room in float32
        shown = ", ".join(f"{loss:g}" for loss in losses.tolist())
        smaller = WIDER if trainer.precision == "16-true" else SMALLER
        raise NotFiniteError(
            f"Optimizer step {trainer.global_step + 1} (epoch {trainer.current_epoch}) cannot be made: the loss is "
            f"{shown}, the norm of its gradients {float(norm):g}. Its videos: {_names_of(trainer, videos)}. The "
            "weights before it, and the checkpoints, are as they were.",
            f"{smaller}, look at these videos with `gad-lightning check-data`, and go on from the last checkpoint",
        )


def _is_finite(gradient: Tensor | None) -> bool:
    """Whether there is no nan and nothing infinite in it."""
    return gradient is None or bool(gradient.isfinite().all())


def _names_of(trainer: Trainer, videos: list[Tensor]) -> str:
    """Names of some videos, or their numbers where they have no names here."""
    numbers = torch.cat(videos).unique().tolist() if videos else []
    data = trainer.datamodule  # type: ignore[attr-defined]  # set, but not declared
    known = [record.name for record in data.videos("train")] if isinstance(data, ActionDataModule) else []
    names = [known[number] if number < len(known) else f"number {number}" for number in numbers]
    more = f" and {len(names) - VIDEOS} more" if len(names) > VIDEOS else ""
    return ", ".join(names[:VIDEOS]) + more if names else "unknown"


def check_weights(weights: Mapping[str, Tensor]) -> None:
    """Refuse to save weights that are no numbers.

    Raises:
        NotFiniteError: naming the first.
    """
    for name, weight in weights.items():
        if weight.is_floating_point() and not bool(weight.isfinite().all()):
            raise NotFiniteError(
                f"The weight {name} is not finite: nothing is saved, and the checkpoints before it stay.",
                f"{WIDER if weight.dtype == torch.float16 else SMALLER}, and go on from the last checkpoint",
            )


def check_settings(described: object, whose: str) -> None:
    """Refuse settings that are nan or infinite.

    Args:
        described: plain data.
        whose: what it describes, for the message.

    Raises:
        SettingError: naming the first.
    """
    for name, value in _numbers(described, ""):
        if value != value or value in (float("inf"), -float("inf")):
            raise SettingError(f"{name or whose} of {whose} is {value}.", "give a finite number")


def _numbers(described: object, name: str) -> Iterator[tuple[str, float]]:
    """Every float inside plain data, with the last name that leads to it."""
    if isinstance(described, float):
        yield name, described
    elif isinstance(described, Mapping):
        for key, value in described.items():
            yield from _numbers(value, str(key))
    elif isinstance(described, list | tuple):
        for value in described:
            yield from _numbers(value, name)

"""A stopped run goes on as if it had never stopped, to the last bit."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn

from gad_lightning.data.epoch_sampler import EpochSampler
from gad_lightning.errors import CheckpointError
from gad_lightning.training.checkpoint_files import WholeCheckpointIO
from gad_lightning.training.checkpoint_reading import RESUME_KEY, run_in
from gad_lightning.training.position import Position, batches_done
from gad_lightning.training.seeds import seed_generators

STEP_SAMPLES = "samples of a step over all processes"


class ExactResume(Callback):
    """Stores the place in the epoch in every checkpoint, and starts there when ``fit`` is given one.

    Weights, optimizer, schedule, random numbers, order of the data, validations and logged losses are then those of the
    run that was never stopped, whichever hook saved the checkpoint and however many workers load the data: the order
    of the data is a function of (seed, epoch), and the generators are seeded for every batch from (seed, epoch, batch,
    process). Batches accumulated after the last optimizer step are done again. Every classifier brings this callback
    with it.

    On another number of processes the run goes on too, no sample lost or repeated, if ``data.batch_size`` times the
    processes stays what it was; dropout then draws other numbers. Anything else that changes the epochs is refused. On
    three and more processes sums of gradients may differ in the last bit, as their order is the communication's.

    It also makes sure that checkpoint files are written whole and are read without running code.
    """

    def __init__(self) -> None:
        self.run = uuid4().hex  # tells this run's checkpoints from others, also after it was resumed
        self.seed: int | None = None
        self.resumed: Position | None = None
        self.stored: dict[str, Any] = {}
        self.validated_after = -1

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write and read files whole, unless the user chose another way."""
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = WholeCheckpointIO()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add place, seed and what the epochs are made of."""
        place = Position.of(trainer, self.validated_after == batches_done(trainer))._asdict()
        checkpoint[RESUME_KEY] = {
            "run": self.run,
            "position": place,
            "seed": self.seed,
            "settings": _settings_of(trainer),
        }

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Tell the loops where to go on; only ``fit`` is continued.

        Raises:
            CheckpointError: if the checkpoint does not say where it was saved.
        """
        if trainer.state.fn != TrainerFn.FITTING:
            return
        if RESUME_KEY not in checkpoint:
            raise CheckpointError(
                "The checkpoint was saved without ExactResume: its place in the epoch is unknown.",
                "start a new run from its weights",
            )
        warnings.filterwarnings("ignore", ".*your dataloader is not resumable.*")  # it is, and Lightning cannot know
        try:
            about = checkpoint[RESUME_KEY]
            begun = _position_of(about["position"]).total_batches > 0
            if not begun and run_in(checkpoint) == self.run:
                return  # a finder of batch sizes or learning rates gives back the state in which it began
            self.run = run_in(checkpoint) or self.run
            self.seed, self.stored = int(about["seed"]), dict(about["settings"])
            self.resumed = _position_of(about["position"])
            batches = int(self.stored["batches of an epoch"])
            checkpoint["loops"]["fit_loop"] = self.resumed.told_to(checkpoint["loops"]["fit_loop"], batches)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"The checkpoint's place in the epoch is damaged: {error!r}",
                "resume from the checkpoint before it, or start a new run from its weights with --init_from",
            ) from error

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the run's seed, or start the loader where the run was stopped.

        Raises:
            CheckpointError: if the epochs of this run are not those of the checkpoint's.
        """
        if self.seed is None:
            self.seed = trainer.strategy.broadcast(int(torch.empty((), dtype=torch.int64).random_()))
        if self.resumed is None:
            return
        _check_settings(self.stored, _settings_of(trainer), trainer.world_size)
        self.validated_after = self.resumed.total_batches if self.resumed.validated else -1
        _start_loader(trainer, self.resumed)
        if not self.resumed.batches:  # with max_steps, Lightning takes the start of an epoch for a stop in one
            trainer.fit_loop.epoch_loop.restarting = False

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Seed all generators; a resumed run first counts its logged steps as an unstopped one does."""
        if self.resumed is not None:
            trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step
            self.resumed = None
        assert self.seed is not None, "drawn when the training started"
        seed_generators(self.seed, trainer.current_epoch, batch_idx, trainer.global_rank)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed all generators for a validation in a fit, whatever was run before it."""
        if trainer.state.fn == TrainerFn.FITTING and self.seed is not None:
            seed_generators(self.seed, batches_done(trainer), -1, trainer.global_rank)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that validation after this batch is done, before any callback saves in ``on_validation_end``."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking:
            self.validated_after = batches_done(trainer)


def _position_of(stored: Mapping[str, Any]) -> Position:
    """A stored place."""
    place = {name: int(stored[name]) for name in ("epoch", "batches", "total_batches", "steps")}
    return Position(**place, validated=bool(stored["validated"]))


def _settings_of(trainer: Trainer) -> dict[str, Any]:
    """What the epochs of a run are made of, by name; they must be the same after a stop."""
    settings = {
        "batches of an epoch": trainer.num_training_batches,
        "trainer.accumulate_grad_batches": trainer.accumulate_grad_batches,
    }
    sampler = getattr(trainer.train_dataloader, "sampler", None)
    if isinstance(sampler, EpochSampler):
        settings["data.seed"] = sampler.windows.seed
        settings["samples of an epoch"] = sampler.windows.most_samples
        settings[STEP_SAMPLES] = sampler.batch_size * sampler.processes
    return settings


def _check_settings(stored: dict[str, Any], here: dict[str, Any], processes: int) -> None:
    """Refuse to continue an epoch that is another one here.

    Raises:
        CheckpointError: naming the first setting that differs, most telling first.
    """
    for name in reversed(stored):
        before, now = stored[name], here.get(name)
        if before == now:
            continue
        remedy = f"set it to {before} again, or start a new run from the checkpoint's weights"
        if name == STEP_SAMPLES:
            size, rest = divmod(before, processes)
            remedy = (
                f"set data.batch_size to {size}" if not rest else f"run on a number of processes that divides {before}"
            )
        raise CheckpointError(f"The checkpoint's run had {name} {before}, this one has {now}.", remedy)


def _start_loader(trainer: Trainer, position: Position) -> None:
    """Let the training loader skip what is done of the epoch; a whole epoch leaves at most its validation.

    Raises:
        CheckpointError: if it is no loader of this library and something is left of the epoch.
    """
    sampler = getattr(trainer.train_dataloader, "sampler", None)
    if isinstance(sampler, EpochSampler):
        sampler.start_at(position.epoch, position.batches)
    elif 0 < position.batches < trainer.num_training_batches:
        raise CheckpointError(
            f"The checkpoint was saved after {position.batches} batches of an epoch; this loader cannot start there.",
            "load the data with an ActionDataModule, or resume from a checkpoint of an epoch's end",
        )
    if position.batches == trainer.num_training_batches:
        fit: Any = trainer.fit_loop
        fit._data_fetcher.done = True  # else Lightning asks for one more batch where no validation follows

"""A run that may be stopped at any moment: it writes checkpoints to go on from, and leaves when it is told to."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_info

from gad_lightning.errors import GadError, SettingError
from gad_lightning.training.checkpoint_reading import run_of
from gad_lightning.training.requeue import requeue, slurm_job

TRY_AGAIN = 75
"""Exit status of a run that was told to stop and can go on: EX_TEMPFAIL of sysexits.h."""


INTERRUPTED = 130
"""Exit status of a run that Ctrl-C has stopped."""
SIGNALS = ("SIGUSR1", "SIGTERM", "SIGINT", "SIGHUP")
"""From a cluster, from ``kill``, from Ctrl-C, and from a terminal that is closed."""
KNOWN = (*SIGNALS, "SIGUSR2", "SIGALRM", "SIGQUIT", "SIGXCPU", "SIGBREAK", "SIGABRT", "SIGPWR", "SIGVTALRM")
"""Names that some systems have and others do not."""


class Stopped(SystemExit):
    """Ends a run that was told to stop, after its checkpoint is written.

    Args:
        checkpoint: to go on from.
        number: signal that told it.
    """

    def __init__(self, checkpoint: Path, number: int) -> None:
        super().__init__(INTERRUPTED if number == signal.SIGINT else TRY_AGAIN)
        self.checkpoint = checkpoint
        self.number = number


class Interruption(Callback):
    """Writes a checkpoint ``last-<step>.ckpt`` every so often, and one more when a signal tells the run to stop.

    A signal sets a flag and does nothing else. Before the next batch that begins an optimizer step, or in a validation,
    all processes agree on it, save, and end with exit status 75; under SLURM the first one asks for the job to be
    queued again. What is logged of a step is logged before it is saved. ``--ckpt_path last`` then goes on.

    Ctrl-C does the same, with exit status 130; a second one stops at once. So does a closed terminal, unless the run
    was started with ``nohup``, and the loss of a process that loads data. On one process, an error while data is loaded
    leaves a checkpoint too.

    Lightning's own SLURM handler is turned off: it saves from inside the signal, where it can hang or store half a
    step.

    Args:
        every_seconds: between checkpoints; None for none but the last. Time is looked at before every optimizer step.
        every_steps: optimizer steps between checkpoints; None for none but those by time.
        keep: newest checkpoints of this kind that are left in the folder, at least 1; with 2, one that is damaged later
            has one before it.
        signals: names of the signals that tell the run to stop; those that the system does not have are left out.
        folder: where they are written; by default that of the run's checkpoints.

    Raises:
        SettingError: if a number or a name cannot be.
    """

    def __init__(
        self,
        every_seconds: float | None = 600.0,
        every_steps: int | None = None,
        keep: int = 2,
        signals: Sequence[str] = SIGNALS,
        folder: Path | None = None,
    ) -> None:
        here = signal.Signals.__members__
        unknown = [name for name in signals if name not in here and name not in KNOWN]
        if unknown:
            raise SettingError(f"There is no signal {unknown[0]!r} here.", "name signals as SIGUSR1 or SIGTERM")
        for name, value in (("every_seconds", every_seconds), ("every_steps", every_steps), ("keep", keep)):
            if value is not None and value <= 0:
                raise SettingError(f"Interruption.{name} must be above 0, got {value}.", "leave it out for the default")
        self.every_seconds = every_seconds
        self.every_steps = every_steps
        self.keep = keep
        self.signals = [here[name] for name in signals if name in here]
        self.child = here.get("SIGCHLD")
        self.folder = folder
        self.received = 0
        self.active = False
        self.before: dict[int, Any] = {}
        self.saved_step, self.saved_time = -1, time.monotonic()
        self._written: set[Path] = set()
        self._within_step = False
        self._terminals: list[int] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take the signals, and turn off Lightning's own requeuing."""
        if stage != "fit":
            return
        environment = getattr(trainer.strategy, "cluster_environment", None)
        if isinstance(environment, SLURMEnvironment):
            environment.auto_requeue = False
        self.received, self.active = 0, True
        self._terminals = [number for number in (1, 2) if os.isatty(number)]
        self.take_signals()

    def take_signals(self) -> None:
        """Make this callback the only handler; Python lets the main thread alone do that.

        What is ignored when the run begins stays so: ``nohup`` ignores the closing of the terminal, a shell Ctrl-C for
        what it runs in the background.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for number in self.signals:
            if number.name in ("SIGINT", "SIGHUP") and signal.getsignal(number) == signal.SIG_IGN:
                continue
            handler = signal.signal(number, self.note)
            if handler != self.note:
                self.before.setdefault(number, handler)
        if self.child is not None and callable(signal.getsignal(self.child)):
            handler = signal.signal(self.child, self.note_child)
            if handler != self.note_child:  # torch's, which raises where a process that loads data was killed
                self.before[self.child] = handler

    def note(self, number: int, frame: FrameType | None) -> None:
        """Set the flag; once the fit is over, give the signal to whom it belonged before."""
        if not self.active:
            signal.signal(number, self.before.get(number) or signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        again = self.received == number
        self.received = number
        if number == signal.SIGINT and again:
            raise KeyboardInterrupt
        if number == signal.SIGINT:
            os.write(2, b"\nStopping after this step, with a checkpoint. Ctrl-C again stops at once.\n")
        elif number not in (signal.SIGTERM, signal.Signals.__members__.get("SIGUSR1")):
            self._leave_terminal()

    def _leave_terminal(self) -> None:
        """Write nothing to terminals any more: one that is closed gives errors instead."""
        null = os.open(os.devnull, os.O_WRONLY)
        for number in self._terminals:
            os.dup2(null, number)
        os.close(null)

    def note_child(self, number: int, frame: FrameType | None) -> None:
        """Set the flag where a process that loads data was killed, so that the step is finished first.

        Raises:
            RuntimeError: torch's own, once the fit is over.
        """
        before = self.before.get(number)
        try:
            if callable(before):
                before(number, frame)
        except RuntimeError:
            if not self.active:
                raise
            self.received = number

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signals again: Lightning took them when the run began."""
        self.take_signals()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signals again, and start the clock."""
        self.take_signals()
        self.saved_step, self.saved_time = trainer.global_step, time.monotonic()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Save if it is time, and stop if told to; all that belongs to the step before is done and logged."""
        self.take_signals()  # torch takes SIGCHLD with the first process that loads data
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self.save_if_due(trainer, self.is_time(trainer))
        self._within_step = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Note that the step is done."""
        self._within_step = False

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop before a validation if told to, and find out how many batches all processes have of it."""
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        self.save_if_due(trainer, False)
        fewest = torch.tensor(min(trainer.num_val_batches, default=0), device=pl_module.device)
        self.common_batches = int(trainer.strategy.reduce(fewest, reduce_op="min"))

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Stop within a validation if told to; it is run again from its start."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking and batch_idx < self.common_batches - 1:
            self.save_if_due(trainer, False)

    def is_time(self, trainer: Trainer) -> bool:
        """Whether a checkpoint is due by time or steps."""
        if trainer.global_step == self.saved_step:
            return False
        due = self.every_steps is not None and trainer.global_step % self.every_steps == 0
        late = self.every_seconds is not None and time.monotonic() - self.saved_time >= self.every_seconds
        return due or (late and trainer.is_global_zero)

    def save_if_due(self, trainer: Trainer, due: bool) -> None:
        """Save if any process says so, and stop if any was told to.

        Raises:
            Stopped: after saving, in every process.
        """
        agree = trainer.strategy.reduce_boolean_decision
        if not agree(due or self.received > 0, all=False):
            return
        stopping = agree(self.received > 0, all=False)
        checkpoint = self.save(trainer)
        if not stopping:
            return
        rank_zero_info(f"Told to stop: {checkpoint} is written, to go on from.")
        job = slurm_job()
        if self.received == signal.SIGINT:
            job = None  # a person has stopped it
        if job is not None and trainer.is_global_zero:
            requeue(job)
        trainer.strategy.barrier()  # srun may end the first process when another has left
        raise Stopped(checkpoint, self.received)

    def save(self, trainer: Trainer) -> Path:
        """Write a checkpoint and what is logged so far, and remove the oldest of this kind."""
        folder = self.folder_of(trainer)
        checkpoint = folder / f"last-{trainer.global_step:08d}.ckpt"
        trainer.save_checkpoint(checkpoint)
        self.saved_step, self.saved_time = trainer.global_step, time.monotonic()
        for logger in trainer.loggers:
            logger.save()
        if trainer.is_global_zero:
            self._remove_old(trainer, checkpoint)
        return checkpoint

    def _remove_old(self, trainer: Trainer, newest: Path) -> None:
        """Remove this run's oldest checkpoints of this kind: by step, as clocks are set back, and never the newest."""
        self._written.add(newest)
        run = run_of(newest)
        found = newest.parent.glob("last-" + "[0-9]" * 8 + ".ckpt")
        own = [path for path in found if path in self._written or (run is not None and run_of(path) == run)]
        for old in sorted(own, key=lambda path: (path == newest, path.name))[: -self.keep]:
            trainer.strategy.remove_checkpoint(old)

    def folder_of(self, trainer: Trainer) -> Path:
        """Folder of the run's checkpoints."""
        if self.folder is not None:
            return self.folder
        kept = trainer.checkpoint_callback
        given = kept.dirpath if isinstance(kept, ModelCheckpoint) else None
        return Path(given or Path(trainer.default_root_dir) / "checkpoints")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Keep the last step, if data could not be loaded for the next; leave the signals to others.

        Raises:
            Stopped: if the run was told to stop besides, or a process that loads data is lost.
        """
        lost = isinstance(exception, Exception) and not isinstance(exception, GadError)
        at_rest = self.active and not self._within_step and not trainer.sanity_checking and trainer.world_size == 1
        try:
            if lost and at_rest and trainer.global_step > max(self.saved_step, 0):
                checkpoint = self.save(trainer)
                rank_zero_info(f"{exception!r}. The last step is kept in {checkpoint}, to go on from.")
                if self.received:
                    raise Stopped(checkpoint, self.received) from exception
        finally:
            self.active = False

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave the signals to others."""
        self.active = False

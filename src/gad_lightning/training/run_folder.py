"""The folder of a run's checkpoints: one run writes to it, and ``last.ckpt`` is its last state."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint

from gad_lightning.atomic import FolderLock
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.training.checkpoint_files import WholeCheckpointIO
from gad_lightning.training.checkpoint_reading import run_in, run_of
from gad_lightning.training.interruption import Interruption


class RunFolder(Checkpoint):
    """Guards the folders that the trainer's ``ModelCheckpoint`` callbacks write to.

    - While a fit goes on, no other run may write there.
    - Where ``save_last`` is set, the last checkpoint is the state after every validation and at the end. Lightning
      itself writes it only where the best checkpoints change.
    - Of the paths that a checkpoint brings along, only files of this run in this run's own folder count. A checkpoint
      from elsewhere thus never decides what is removed.

    Every classifier brings this callback with it. It is a ``Checkpoint`` too, so that Lightning calls it after all
    ``ModelCheckpoint`` callbacks.
    """

    best_model_path = ""  # Lightning asks its first Checkpoint callback for it

    def __init__(self) -> None:
        self._locks: list[FolderLock] = []
        self._validated = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Lock the folders.

        Raises:
            SettingError: in every process, if another run writes to one of them.
        """
        if stage != "fit" or _is_trial(trainer):
            return
        told = None
        if trainer.is_global_zero:
            self.release()
            folders = {str(keeper.dirpath) for keeper in _keepers(trainer)}
            folders |= {str(own.folder_of(trainer)) for own in _callbacks(trainer) if isinstance(own, Interruption)}
            self._locks = [FolderLock(Path(folder)) for folder in sorted(folders) if "://" not in folder]
            try:
                for lock in self._locks:
                    lock.take()
            except SettingError as error:
                self.release()
                told = error.message, error.remedy
        told = trainer.strategy.broadcast(told)
        if told is not None:
            raise SettingError(*told)

    def release(self) -> None:
        """Let other runs write to the folders."""
        for lock in self._locks:
            lock.release()
        self._locks = []

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Leave of the callbacks' states what is this run's own, before they are restored.

        Raises:
            CheckpointError: if the states are no states of callbacks.
        """
        states = checkpoint.get("callbacks", {})
        run = run_in(checkpoint)
        try:
            own = {keeper.state_key: keeper for keeper in _keepers(trainer)}
            checkpoint["callbacks"] = {
                name: _own_state(own[name], state, run) if name in own else state for name, state in states.items()
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"The checkpoint's states of callbacks are damaged: {error!r}",
                "start a new run from its weights with --init_from",
            ) from error

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the state after a validation within an epoch."""
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        self._validated = True
        if not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self._save_last(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the state after the validation of an epoch, once Lightning has chosen the best."""
        if self._validated:
            self._save_last(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the state at the end."""
        self._save_last(trainer)

    def _save_last(self, trainer: Trainer) -> None:
        """Write the last checkpoints that are not of this step."""
        self._validated = False
        if _is_trial(trainer):
            return
        for keeper in _keepers(trainer):
            if not keeper.save_last or self._is_saved(trainer, keeper.last_model_path):
                continue
            values = {"epoch": torch.tensor(trainer.current_epoch), "step": torch.tensor(trainer.global_step)}
            path = keeper.format_checkpoint_name({**trainer.callback_metrics, **values}, keeper.CHECKPOINT_NAME_LAST)
            before, keeper.last_model_path = keeper.last_model_path, path
            trainer.save_checkpoint(path, keeper.save_weights_only)
            if before and before != path:
                trainer.strategy.remove_checkpoint(before)

    def _is_saved(self, trainer: Trainer, path: str) -> bool:
        """Whether the checkpoint at a path was written at this step; the first process knows."""
        files = trainer.strategy.checkpoint_io
        known = isinstance(files, WholeCheckpointIO) and files.step_of(path) == trainer.global_step
        return trainer.strategy.broadcast(known)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Let other runs write there."""
        self.release()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let other runs write there."""
        self.release()


def _is_trial(trainer: Trainer) -> bool:
    """Whether this is a ``fast_dev_run``, which writes no checkpoints."""
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]  # Lightning sets it without declaring it


def _callbacks(trainer: Trainer) -> list[Callback]:
    """Callbacks of a trainer."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set without being declared
    return callbacks


def _keepers(trainer: Trainer) -> list[ModelCheckpoint]:
    """Callbacks that keep the best and the last checkpoints."""
    return [callback for callback in trainer.checkpoint_callbacks if isinstance(callback, ModelCheckpoint)]


def _own_state(keeper: ModelCheckpoint, state: Mapping[str, Any], run: str | None) -> dict[str, Any]:
    """A restored state with the files that the run has in the callback's folder, and no others.

    Args:
        keeper: callback that the state is for; its folder is known.
        state: plain data of any origin.
        run: name of the run.
    """
    found = keeper.state_dict()  # what a new run begins with
    folder = str(keeper.dirpath)

    def own(path: str) -> str:
        """The path of a checkpoint in this folder; empty if it is none of this run."""
        if "://" in folder:
            return path if path.startswith(f"{folder}/") and ".." not in path else ""
        here = Path(folder) / PurePath(path).name
        return str(here) if run is not None and path and run_of(here) == run else ""

    scores = {own(path): torch.as_tensor(score).reshape(()) for path, score in state["best_k_models"].items()}
    scores.pop("", None)
    if scores:
        ranked = sorted(scores, key=lambda path: float(scores[path]), reverse=keeper.mode == "max")
        found |= {"best_k_models": scores, "kth_best_model_path": ranked[-1], "kth_value": scores[ranked[-1]]}
        found |= {"best_model_score": scores[ranked[0]], "current_score": scores[ranked[0]]}
    best = ranked[0] if scores else own(state["best_model_path"])
    return {**found, "best_model_path": best, "last_model_path": own(state["last_model_path"])}

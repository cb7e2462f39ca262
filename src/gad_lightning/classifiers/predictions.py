"""Writes what a classifier predicts, from any number of processes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_info

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.decided_columns import decided_columns
from gad_lightning.data.base import ActionDataModule
from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.results.predictions import write_predictions
from gad_lightning.results.rows import QueryColumns, columns_of, joined
from gad_lightning.results.run_folder import PREDICTIONS
from gad_lightning.results.unknown_actions import open_tasks, with_unknown
from gad_lightning.types import Batch, Predictions


class PredictionWriter(Callback):
    """Writes ``frames.csv``, ``frames.json``, ``segments.csv`` and ``segments.json`` when ``predict`` ends.

    ``about.json`` beside them names the classes of every task in order. A classifier that rejects adds two columns to
    the frames: the rejection score, empty where a frame cannot be unknown, and the likeliest known class. A calibrated
    classifier's labels, segments and scores are those of its decisions.

    Each process writes a part, and the first one joins them by (video, query_index), so that rows which a sampler
    repeats count once; the processes must see one file system. A segment is a run of one label, background and ignored
    classes left out, half-open in frames and in seconds; its score is the mean of its frames'. Tasks that are asked
    once a clip have frames only, at the clip's last frame.

    Args:
        folder: where to write; ``predictions`` in the folder of the run if None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.parts: list[QueryColumns] = []
        self.checkpoint = ""  # name of the file, where the trainer did not load it

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the folder, before anything is computed.

        Raises:
            SettingError: if it cannot be written to, or there is none.
        """
        home = trainer.log_dir if self.folder is None else str(self.folder)  # log_dir is the same on every process
        if home is None:
            raise SettingError("There is no folder for the predictions.", "give PredictionWriter a folder")
        target = Path(home)
        if self.folder is None and target.name != PREDICTIONS:
            target = target / PREDICTIONS
        self.target = make_folder(target)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Predictions,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep what is written later; scores of the other classes, logits and slot states are let go."""
        assert isinstance(pl_module, Classifier), "only classifiers predict actions"
        self.parts.append(columns_of(outputs, pl_module.schema.tasks, bool(pl_module.decisions)))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write this process's part; the first process joins all of them."""
        parts, folder = self.parts, self.target / "parts"
        self.parts = []
        if trainer.world_size > 1:
            _save_part(folder / f"{trainer.global_rank}.npz", parts)
            trainer.strategy.barrier("predictions are written")
        if not trainer.is_global_zero:
            return
        if trainer.world_size > 1:
            parts = [_load_part(folder / f"{rank}.npz") for rank in range(trainer.world_size)]
        assert isinstance(pl_module, Classifier), "only classifiers predict actions"
        data = data_of(trainer)
        names = None if data is None else data.video_names
        groups = {} if data is None else groups_of(data)
        whole = joined(parts)
        columns = decided_columns(whole, pl_module.schema, pl_module.shown_schema, pl_module.all_decisions())
        shown = with_unknown(pl_module.shown_schema, whole)
        unknown = open_tasks(pl_module.schema, shown)
        checkpoint = Path(trainer.ckpt_path).name if trainer.ckpt_path else self.checkpoint
        write_predictions(self.target, columns, shown, names, type(pl_module).__name__, groups, unknown, checkpoint)
        shutil.rmtree(folder, ignore_errors=True)
        rank_zero_info(f"The predictions are in {self.target}")


def predict_with(classifier: Classifier, data: ActionDataModule, callback: Callback) -> None:
    """Predict in this process, on whatever device there is, and leave nothing but what a callback does."""
    trainer = Trainer(
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[callback],
    )
    trainer.predict(classifier, data, return_predictions=False)


def data_of(trainer: Trainer) -> ActionDataModule | None:
    """The data module that a trainer was given, None if it was given plain loaders."""
    found = vars(trainer).get("datamodule")  # Lightning does not declare it
    return found if isinstance(found, ActionDataModule) else None


def groups_of(data: ActionDataModule) -> dict[str, str]:
    """The person or place of every video that is predicted, as far as the data says."""
    return {record.name: record.group for record in data.videos(data.predict_split) if record.group is not None}


def _save_part(target: Path, parts: Sequence[QueryColumns]) -> None:
    """Write what one process predicted."""
    make_folder(target.parent)
    with atomic_write(target) as unfinished, unfinished.open("wb") as file:
        kept = {name: column for name, column in joined(parts)._asdict().items() if column is not None}
        np.savez(file, **kept)


def _load_part(source: Path) -> QueryColumns:
    """Read what one process predicted.

    Raises:
        MissingDataError: if it is not there, as the processes see different disks.
    """
    if not source.is_file():
        raise MissingDataError(
            f"The predictions of another process are not at {source}.", "predict to a folder that all processes share"
        )
    with np.load(source, allow_pickle=False) as stored:
        return QueryColumns(**{name: stored[name] for name in stored.files})

"""Makes the predictions of a run that has none, and keeps some slot states with them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from lightning import LightningModule, Trainer

from gad_lightning.atomic import atomic_write
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.predictions import PredictionWriter, data_of, predict_with
from gad_lightning.data.base import ActionDataModule
from gad_lightning.errors import GadError
from gad_lightning.results.predictions import STATES, read_about, write_about
from gad_lightning.results.rows import Ints
from gad_lightning.results.run_folder import PREDICTIONS
from gad_lightning.types import IGNORED, Batch, Predictions, known_class

KEPT = 2000
"""States kept of a run, evenly over its frames."""


def predict(run: Path, checkpoint: Path, data: ActionDataModule, packages: Sequence[str]) -> Path:
    """Predict with a run's checkpoint on the test split, on whatever device there is.

    Args:
        run: gets ``predictions``.
        checkpoint: of the run.
        data: of the run's config.
        packages: whose classes the checkpoint may name.

    Returns:
        The folder.
    """
    classifier = Classifier.load_from_checkpoint(checkpoint, allowed=packages)
    writer = KeepingWriter(run / PREDICTIONS)
    writer.checkpoint = checkpoint.name
    predict_with(classifier, data, writer)
    return run / PREDICTIONS


class KeepingWriter(PredictionWriter):
    """Writes predictions, and beside them some slot states, the speed, and how often classes occur in training.

    Args:
        folder: where to write.
    """

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose which frames' states are kept, and start the clock."""
        super().on_predict_start(trainer, pl_module)
        data = data_of(trainer)
        assert data is not None, "predict gives a data module"
        frames = sum(len(laid.queries.label) for laid in data.dataset(data.predict_split).timelines)
        self.every = max(1, frames // KEPT)
        self.states: list[tuple[np.ndarray, Ints, Ints]] = []
        self.start = time.perf_counter()

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Predictions,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the states of every so many-th frame of the first task."""
        super().on_predict_batch_end(trainer, pl_module, outputs, batch, batch_idx, dataloader_idx)
        assert isinstance(pl_module, Classifier), "only classifiers predict actions"
        truth = known_class(outputs.target, len(pl_module.shown_schema.tasks[0].labels.names))
        kept = (outputs.query_index % self.every == 0) & (outputs.task == 0) & (truth != IGNORED)
        self.states.append(
            (outputs.slot_states[kept].float().numpy(), truth[kept].numpy(), outputs.label[kept].numpy())
        )

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write it all."""
        seconds = time.perf_counter() - self.start
        frames = sum(len(part.video) for part in self.parts)
        super().on_predict_end(trainer, pl_module)
        states, truth, label = (np.concatenate(column) for column in zip(*self.states, strict=True))
        with atomic_write(self.target / STATES) as part, part.open("wb") as file:
            np.savez(file, states=states.astype(np.float16), truth=truth, label=label)
        data, about = data_of(trainer), read_about(self.target)
        assert data is not None, "asked above"
        assert about is not None, "just written"
        speed = {"frames a second": frames / max(seconds, 1e-9), "frames": float(frames), "seconds": seconds}
        counts = _training_counts(data)
        for task in about.tasks:  # a class "unknown" is not in training
            if task.name in counts:
                counts[task.name] += [0] * (len(task.labels.names) - len(counts[task.name]))
        write_about(self.target, about._replace(training=counts, speed=speed))


def _training_counts(data: ActionDataModule) -> dict[str, list[int]]:
    """Training segments of each class of the first task, by the task's name; nothing if they are not at hand."""
    task, names = data.schema.tasks[0], data.tasks[0].labels.names
    counts = dict.fromkeys(names, 0)
    try:
        videos = data.videos("train")
    except GadError:
        return {}
    for record in videos:
        for segment in record.segments:
            if 0 <= segment.label < len(names):
                counts[names[segment.label]] += 1
    return {task.name: [counts[name] for name in task.labels.names]}

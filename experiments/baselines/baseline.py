"""What the baselines share: data, steps, metrics and command line; a baseline is a network of a few dozen lines.

    python experiments/baselines/gru.py runs/hapt --window 32 --seeds 0 1 2
    python experiments/baselines/gru.py --data experiments/kitchen/gad.yaml --window 32

Features, their standardisation, windows, test frames and metrics are those of the classifiers. Each seed prints one
line of JSON, adds it to ``OUTPUT/results.jsonl`` and leaves what ``gad-lightning predict`` writes in
``OUTPUT/<model>-<window>/<seed>/predictions``.
"""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from abc import abstractmethod
from pathlib import Path
from typing import Any

import lightning
import torch
from jsonargparse import ArgumentParser
from lightning import LightningModule
from omegaconf import OmegaConf
from torch import Tensor
from torch.optim import Adam, Optimizer

from gad_lightning.classifiers.evaluation import Evaluation
from gad_lightning.classifiers.predictions import (
    ABOUT,
    Columns,
    columns_of,
    joined,
    write_about,
    write_predictions,
)
from gad_lightning.data.base import ActionDataModule
from gad_lightning.data.own import OwnVideos
from gad_lightning.errors import SettingError
from gad_lightning.losses import class_loss
from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch, Predictions
from gad_lightning.video.atomic import make_folder

WHOLE = 1_000_000
"""Frames of a chunk that holds any recording."""


class Baseline(LightningModule):
    """A network from frames to the logits of one task; a subclass gives :meth:`logits`.

    Args:
        schema: one task, features and windows.
        lr: learning rate of Adam.
        weight_decay: of Adam.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, schema: DataSchema, lr: float = 3e-3, weight_decay: float = 0.0) -> None:
        super().__init__()
        if len(schema.tasks) > 1:
            raise SettingError(f"The baselines know one task; the data asks for {len(schema.tasks)}.", "use other data")
        spec = schema.features
        self.lr, self.weight_decay = lr, weight_decay
        self.width, self.num_classes = spec.width * spec.tokens_per_frame, len(schema.tasks[0].labels.names)
        self.window = schema.windows.frames
        self.register_buffer("mean", torch.zeros(spec.width) if spec.mean is None else torch.tensor(spec.mean))
        self.register_buffer("std", torch.ones(spec.width) if spec.std is None else torch.tensor(spec.std))
        self.evaluation = Evaluation(schema)
        self.parts: list[Columns] = []

    @abstractmethod
    def logits(self, frames: Tensor, batch: Batch) -> Tensor:
        """Logits of the queries, (Q, C).

        Args:
            frames: (B, F, N * D) standardised, 0 beyond a sample's last frame.
            batch: says which frame of which sample is asked about; a query may not see later ones.
        """

    def forward(self, batch: Batch) -> Tensor:
        """Logits of the queries, (Q, C)."""
        frames = ((batch.frames - self.mean) / self.std).flatten(2)
        shown = torch.arange(frames.shape[1]) < batch.frame_counts.unsqueeze(1)
        return self.logits(frames * shown.unsqueeze(2), batch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Cross entropy."""
        total, number = class_loss(self(batch), batch.label, torch.ones(len(batch.label)))
        return total / number.clamp(min=1)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect predictions."""
        scores = self(batch).log_softmax(1)
        asked = (batch.video, batch.ordinal, batch.task, batch.moment, batch.label)
        predictions = Predictions(*asked, scores, scores, scores)
        self.evaluation.update(predictions)
        self.parts.append(columns_of(predictions))

    def on_test_epoch_end(self) -> None:
        """Log."""
        self.log_dict({f"test/{name}": value for name, value in self.evaluation.compute().items()})

    def configure_optimizers(self) -> Optimizer:
        """Adam."""
        return Adam(self.parameters(), lr=self.lr, weight_decay=self.weight_decay)


def open_data(root: str | None, config: Path | None, window: int | None, seed: int) -> ActionDataModule:
    """The data of a folder, or of the ``data`` section of a run's config, in windows of the baseline.

    A window of n frames is all that an answer may look back on; without one it is the whole recording.
    """
    if window is None:
        shape: dict[str, Any] = {"mode": "one_pass", "window": 1, "chunk": WHOLE, "batch_size": 8}
    else:
        stride = max(1, window // 2)
        shape = {"mode": "window", "window": window, "stride": stride, "batch_size": 64, "eval_batch_size": 1024}
    if config is None:
        assert root is not None, "the parser wants one of the two"
        return OwnVideos(root, seed=seed, **shape)
    section: Any = OmegaConf.to_container(OmegaConf.load(config), resolve=True)
    section = section.get("data", section)
    section["init_args"] = {**section.get("init_args", {}), "seed": seed, **shape}
    parser = ArgumentParser()
    parser.add_subclass_arguments(ActionDataModule, "data")
    data: ActionDataModule = parser.instantiate_classes(parser.parse_object({"data": section})).data
    return data


def run(kind: type[Baseline], data: ActionDataModule, seed: int, steps: int, folder: Path) -> dict[str, float]:
    """Train and test once; the predictions are in ``folder``."""
    lightning.seed_everything(seed, verbose=False)
    model = kind(data.schema)
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
    scores = trainer.test(model, data, verbose=False)[0]
    write_predictions(make_folder(folder), joined(model.parts), data.schema, data.video_names)
    write_about(folder / ABOUT, kind.__name__, data.schema)
    parameters = sum(weight.numel() for weight in model.parameters())
    return {"parameters": parameters, **{name: float(value) for name, value in scores.items()}}


def main(kind: type[Baseline], name: str, description: str | None, steps: int = 600) -> None:
    """Print one line of JSON a seed."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", help="folder of own data")
    parser.add_argument("--data", type=Path, help="config of a run, whose data section is used instead")
    parser.add_argument("--window", type=int, help="frames an answer looks back on; the whole past if left out")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--output", type=Path, default=Path("runs/baselines"))
    given = parser.parse_args()
    if (given.root is None) == (given.data is None):
        parser.error("give either a folder or --data CONFIG.yaml")
    for seed in given.seeds:
        home = given.output / f"{name}-{given.window or 'whole'}" / str(seed)
        data = open_data(given.root, given.data, given.window, seed)
        scores = run(kind, data, seed, given.steps, home / "predictions")
        what = {"model": name, "data": str(given.root or given.data), "window": given.window, "seed": seed}
        line = json.dumps({**what, "steps": given.steps, "predictions": str(home / "predictions"), **scores})
        with (given.output / "results.jsonl").open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)

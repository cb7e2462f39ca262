"""What the baselines share: data, steps, metrics and command line; a baseline is a network of a few dozen lines.

    python experiments/baselines/gru.py runs/hapt --window 32 --seeds 0 1 2
    python experiments/baselines/gru.py --data experiments/kitchen/gad.yaml --window 32

Features, their standardization, windows, test frames and metrics are those of the classifiers. Each seed prints one
line of JSON, adds it to ``OUTPUT/results.jsonl`` and leaves what ``gad-lightning predict`` writes in
``OUTPUT/<model>-<window>/<seed>/predictions``.
"""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from jsonargparse import ArgumentParser
from lightning import LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from omegaconf import OmegaConf
from torch import Tensor
from torch.optim import Adam, Optimizer

from gad_lightning.atomic import make_folder
from gad_lightning.classifiers.calibration import Wanted, fitted, observed_in, steadiness_of, timelines_of
from gad_lightning.classifiers.evaluation import Evaluation
from gad_lightning.classifiers.predictions import groups_of
from gad_lightning.data.base import ActionDataModule
from gad_lightning.data.own import OwnVideos
from gad_lightning.decisions.best_path import BestPath
from gad_lightning.decisions.steady import SwitchCost
from gad_lightning.decisions.switches import MinimumDuration
from gad_lightning.errors import SettingError
from gad_lightning.losses import class_loss
from gad_lightning.results.predictions import write_predictions
from gad_lightning.results.rows import QueryColumns, columns_of, joined
from gad_lightning.results.standard import monitored
from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch, Predictions

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
        self.schema, spec = schema, schema.features
        self.lr, self.weight_decay = lr, weight_decay
        self.width, self.num_classes = spec.width * spec.tokens_per_frame, len(schema.tasks[0].labels.names)
        self.window = schema.windows.frames
        self.register_buffer("mean", torch.zeros(spec.width) if spec.mean is None else torch.tensor(spec.mean))
        self.register_buffer("std", torch.ones(spec.width) if spec.std is None else torch.tensor(spec.std))
        self.evaluation = Evaluation(schema)
        self.parts: list[QueryColumns] = []

    @abstractmethod
    def logits(self, frames: Tensor, batch: Batch) -> Tensor:
        """Logits of the queries, (Q, C).

        Args:
            frames: (B, F, N * D) standardized, 0 beyond a sample's last frame.
            batch: says which frame of which sample is asked about; a query may not see later ones.
        """

    def forward(self, batch: Batch) -> Tensor:
        """Logits of the queries, (Q, C)."""
        frames = ((batch.frames - self.mean) / self.std).flatten(2)
        shown = torch.arange(frames.shape[1]) < batch.frame_counts.unsqueeze(1)
        return self.logits(frames * shown.unsqueeze(2), batch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Cross entropy."""
        loss = class_loss(self(batch), batch.label, torch.ones(len(batch.label)))
        return loss.sum / loss.count.clamp(min=1)

    def predicted(self, batch: Batch) -> Predictions:
        """Answer the queries, and count them in."""
        scores = self(batch).log_softmax(1)
        asked = (batch.video, batch.query_index, batch.task, batch.frame, batch.label)
        predictions = Predictions(*asked, scores, scores, scores)
        self.evaluation.update(predictions)
        return predictions

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count."""
        self.predicted(batch)

    def on_validation_epoch_end(self) -> None:
        """Log."""
        self.log_dict({f"val/{name}": value for name, value in self.evaluation.compute().items()})

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect predictions."""
        self.parts.append(columns_of(self.predicted(batch), self.schema.tasks))

    def on_test_epoch_end(self) -> None:
        """Log."""
        self.log_dict({f"test/{name}": value for name, value in self.evaluation.compute().items()})

    def configure_optimizers(self) -> Optimizer:
        """Adam."""
        return Adam(self.parameters(), lr=self.lr, weight_decay=self.weight_decay)


def open_data(
    root: str | None, config: Path | None, window: int | None, seed: int, overrides: Sequence[str] = ()
) -> ActionDataModule:
    """The data of a folder, or of the ``data`` section of a run's config with overrides, in windows of the baseline.

    A window of n frames is all that an answer may look back on; without one it is the whole recording.
    """
    if window is None:
        shape: dict[str, Any] = {"mode": "one_pass", "short_memory": 1, "chunk": WHOLE, "batch_size": 8}
    else:
        stride = max(1, window // 2)
        shape = {"mode": "window", "short_memory": window, "stride": stride, "batch_size": 64, "eval_batch_size": 1024}
    if config is None:
        assert root is not None, "the parser wants one of the two"
        return OwnVideos(root, seed=seed, **shape)
    return data_of(config, {"seed": seed, **shape}, overrides)


def data_of(config: Path, settings: dict[str, Any], overrides: Sequence[str] = ()) -> ActionDataModule:
    """The data of a run's config, as the library's command line makes it.

    Args:
        config: of a run, or its ``data`` section alone.
        settings: of the data, in place of the config's.
        overrides: ``data.KEY=VALUE`` each, which come before the settings.
    """
    section: Any = OmegaConf.to_container(OmegaConf.load(config), resolve=True)
    words = [f"--data={json.dumps(section.get('data', section))}", *(f"--{override}" for override in overrides)]
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(ActionDataModule, "data")
    given = parser.parse_args([*words, *(f"--data.{name}={value}" for name, value in settings.items())])
    data: ActionDataModule = parser.instantiate_classes(given).data
    return data


def run(
    kind: type[Baseline],
    data: ActionDataModule,
    seed: int,
    steps: int,
    folder: Path,
    check_every: int = 0,
    steady: bool = False,
) -> dict[str, float]:
    """Train and test once, with steady labels too where asked for; the predictions are in ``folder``.

    With ``check_every`` the weights tested are, as the classifiers' are, the best on the validation videos of those
    after every so many steps; otherwise the last ones.
    """
    lightning.seed_everything(seed, verbose=False)
    model = kind(data.schema)
    kept = ModelCheckpoint(
        folder.parent / "checkpoints", "best", monitored(data.schema), mode="max", enable_version_counter=False
    )
    trainer = lightning.Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator="cpu",
        gradient_clip_val=1.0,
        logger=False,
        callbacks=[kept] if check_every else [],
        enable_checkpointing=check_every > 0,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if check_every else 0,
        val_check_interval=check_every or None,
        check_val_every_n_epoch=None if check_every else 1,
    )
    trainer.fit(model, data)
    scores = trainer.test(model, data, ckpt_path="best" if check_every else None, verbose=False)[0]
    write_predictions(
        make_folder(folder), joined(model.parts), data.schema, data.video_names, kind.__name__, groups_of(data)
    )
    parameters = sum(weight.numel() for weight in model.parameters())
    found = {"parameters": parameters, **{name: float(value) for name, value in scores.items()}}
    return {**found, **(steady_scores(model.eval(), data) if steady else {})}


@torch.inference_mode()
def steady_scores(model: Baseline, data: ActionDataModule) -> dict[str, float]:
    """Scores of the likeliest class and of steady labels, chosen on validation as ``calibrate`` chooses a classifier's.

    Returns:
        Segment-F1 and frame accuracy by ``val`` or ``test``, and ``likeliest`` or the name of the way.
    """
    device, found = torch.device("cpu"), {}
    seen, shown = (observed_in(data, model.predicted, device, model.schema, 0, split) for split in ("val", "test"))
    for way in (SwitchCost(), BestPath()):
        made = fitted(seen, Wanted(way, MinimumDuration(), None), timelines_of(data, 0))
        for split, frames in (("val", seen), ("test", shown)):
            worth = steadiness_of(made, frames)
            found[f"{split}/likeliest/segment_f1"] = worth.segment_f1_before
            found[f"{split}/likeliest/accuracy"] = worth.accuracy_before
            found[f"{split}/{type(way).__name__}/segment_f1"] = worth.segment_f1
            found[f"{split}/{type(way).__name__}/accuracy"] = worth.accuracy
    return found


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
    parser.add_argument("--checks", type=int, default=0, help="validate so often, test the best weights; 0: the last")
    parser.add_argument("--steady", action="store_true", help="score steady labels too, chosen on validation")
    parser.add_argument("--output", type=Path, default=Path("runs/baselines"))
    given = parser.parse_args()
    if (given.root is None) == (given.data is None):
        parser.error("give either a folder or --data CONFIG.yaml")
    for seed in given.seeds:
        home = given.output / f"{name}-{given.window or 'whole'}" / str(seed)
        data = open_data(given.root, given.data, given.window, seed)
        check_every = given.steps // given.checks if given.checks else 0
        scores = run(kind, data, seed, given.steps, home / "predictions", check_every, given.steady)
        what = {"model": name, "data": str(given.root or given.data), "window": given.window, "seed": seed}
        line = json.dumps({**what, "steps": given.steps, "predictions": str(home / "predictions"), **scores})
        with (given.output / "results.jsonl").open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)

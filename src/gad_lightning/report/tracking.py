"""Sends what a run logs to TensorBoard, Weights & Biases or MLflow, with pictures of what it predicts."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.evaluation import TaskEvaluation
from gad_lightning.environment import stored
from gad_lightning.errors import SettingError
from gad_lightning.optional import need
from gad_lightning.pictures.confusions import Picture, draw_confusions
from gad_lightning.pictures.timelines import draw_timelines, save_picture
from gad_lightning.redact import redact
from gad_lightning.results.run_folder import CONFIG, TRACKERS, read_trackers
from gad_lightning.results.tables import write_json
from gad_lightning.types import IGNORED

Kind = Literal["tensorboard", "wandb", "mlflow"]
PACKAGE_OF: Mapping[Kind, str] = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}


class Tracker(Callback):
    """Logs a run to a tracker beside ``metrics.csv``: metrics of the same names, config, timelines, confusions.

    The pictures are those of the last validation, and of a test: the frames that the first process saw. ``report``
    shows where the run is.

    Args:
        to: the tracker, ``"tensorboard"``, ``"wandb"`` or ``"mlflow"``; its extra has that name.
        project: project of Weights & Biases, experiment of MLflow.
        online: send to the servers of Weights & Biases while the run goes on; else its folder is kept here, and
            ``wandb sync`` sends it.
        address: of a server of MLflow; a folder ``mlruns`` in that of the run if None.
        videos: whose timelines are drawn; 0 for no pictures.

    Raises:
        SettingError: if there is no such tracker, or its package is not installed.
    """

    def __init__(
        self,
        to: Kind = "tensorboard",
        project: str = "gad-lightning",
        online: bool = False,
        address: str | None = None,
        videos: int = 6,
    ) -> None:
        if to not in PACKAGE_OF:
            raise SettingError(f"There is no tracker {to!r}.", f"choose one of {', '.join(PACKAGE_OF)}")
        need(PACKAGE_OF[to], extra=to, why=f"to track runs with {to}")
        self.to, self.project, self.online, self.address, self.videos = to, project, online, address, videos
        self.logger: Logger | None = None
        self.told = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Add the tracker's logger to those of the run.

        Raises:
            SettingError: if the run has no folder.
        """
        folder = trainer.log_dir  # in every process: Lightning sends it around
        if stage == "predict" or self.logger is not None:
            return
        if folder is None:
            raise SettingError("A tracker needs the folder of a run.", "leave trainer.logger out, or log to CSV too")
        self.folder = Path(folder)
        self.logger = self._logger()
        trainer.loggers = [*trainer.loggers, self.logger]

    def _logger(self) -> Logger:
        """The logger of Lightning that writes to the tracker."""
        from lightning.pytorch import loggers

        if self.to == "tensorboard":
            return loggers.TensorBoardLogger(self.folder, name="", version="tensorboard", default_hp_metric=False)
        if self.to == "wandb":
            self.folder.mkdir(parents=True, exist_ok=True)
            name = "/".join(self.folder.parts[-3:])
            return loggers.WandbLogger(name, self.folder, offline=not self.online, project=self.project)
        address = self.address or f"file:{self.folder.resolve() / 'mlruns'}"
        return loggers.MLFlowLogger(self.project, "/".join(self.folder.parts[-3:]), tracking_uri=address)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the config, and say where the run is."""
        if self.told or self.logger is None or not trainer.is_global_zero:
            return
        self.told = True
        path = self.folder / CONFIG
        if path.is_file():
            self._log_config(stored(yaml.safe_load(path.read_text(encoding="utf-8"))))
        before = read_trackers(self.folder)
        write_json(self.folder / TRACKERS, {**before, self.to: redact(self._address())})

    on_test_start = on_train_start

    def _log_config(self, config: object) -> None:
        """Send the config: to TensorBoard as a text, to the others by its dotted names."""
        logger: Any = self.logger  # each kind has its own way
        if self.to == "tensorboard":
            text = redact(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
            logger.experiment.add_text("config", "".join(f"    {line}\n" for line in text.splitlines()))
        else:
            logger.log_hyperparams({name: redact(str(value)) for name, value in _leaves(config).items()})

    def _address(self) -> str:
        """Where the run is: a URL, or a folder."""
        logger: Any = self.logger  # each kind has its own way
        if self.to == "tensorboard":
            return str(logger.log_dir)
        if self.to == "wandb":
            return str(logger.experiment.url if self.online else Path(logger.experiment.dir).parent)
        client, number = logger.experiment, logger.run_id
        return str(client.get_run(number).info.artifact_uri).removesuffix("/artifacts")

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw what was predicted, before the metrics forget it."""
        self._draw(trainer, pl_module, "val")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw what was predicted, before the metrics forget it."""
        self._draw(trainer, pl_module, "test")

    def _draw(self, trainer: Trainer, pl_module: LightningModule, split: str) -> None:
        """Send timelines and confusions of each task with one label a frame."""
        if trainer.sanity_checking or not trainer.is_global_zero or not self.videos or self.logger is None:
            return
        assert isinstance(pl_module, Classifier), "only classifiers predict actions"
        single = [one for one in pl_module.evaluation.evaluations if isinstance(one, TaskEvaluation)]
        for evaluation in single:
            name = split if len(single) == 1 else f"{split}/{evaluation.task.name}"
            for what, figure in _pictures(evaluation, self.videos).items():
                self._send(f"{name}/{what}", figure, trainer.global_step)

    def _send(self, name: str, figure: Picture, step: int) -> None:
        """Send a picture under a name."""
        logger: Any = self.logger  # each kind has its own way
        if self.to == "tensorboard":
            logger.experiment.add_figure(name, figure, step)
        elif self.to == "mlflow":
            logger.experiment.log_figure(logger.run_id, figure, f"{name}/{step:08d}.png")
        else:
            with tempfile.TemporaryDirectory() as folder:
                save_picture(figure, Path(folder) / "picture.png")
                logger.log_image(name, [f"{folder}/picture.png"], step=step)


def _pictures(evaluation: TaskEvaluation, videos: int) -> dict[str, Picture]:
    """Timelines of the first videos, and confusions of all."""
    table, task = evaluation.table(), evaluation.task
    preds, target, video = table.preds.cpu(), table.target.cpu(), table.video.cpu()
    if not len(preds):
        return {}
    made = {"confusions": draw_confusions(preds, target, task.labels)}
    if task.per_frame:
        size = len(task.labels.names)
        shown = torch.where((target >= 0) & (target < size), target, IGNORED)
        chosen = video.unique()[:videos].tolist()
        tracks = {
            f"video {number}": {"truth": shown[video == number], "predicted": preds[video == number]}
            for number in chosen
        }
        made["timelines"] = draw_timelines(tracks, task.labels, evaluation.fps)
    return made


def _leaves(settings: object, path: str = "") -> dict[str, object]:
    """Values of a nested config by dotted path."""
    if not isinstance(settings, dict) or not settings:
        return {path: settings}
    found: dict[str, object] = {}
    for name, value in settings.items():
        found |= _leaves(value, f"{path}.{name}" if path else str(name))
    return found

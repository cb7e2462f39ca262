"""``predict --output``: results as they come, on this machine's processes, further jobs, or a cluster of Ray."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from lightning import Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities import rank_zero_info

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.predictions import PredictionWriter
from gad_lightning.data.base import ActionDataModule
from gad_lightning.errors import DataError, SettingError
from gad_lightning.jobs.place import RemotePlace
from gad_lightning.jobs.ray_engine import map_units
from gad_lightning.jobs.units import MANIFEST
from gad_lightning.scale.run import UnitRun
from gad_lightning.scale.tables import Format


@dataclass
class UnitSettings:
    """How results are written as they come.

    Args:
        output: folder of results written as they come, or address of an object store; one tables file at the end if
            null. Further jobs with the same settings share the work, and after a kill it goes on.
        videos: with output, folder of features to predict in place of the data's videos.
        unit: with output, videos whose results are written together.
        table: with output, csv or parquet.
        engine: with output, lightning for the processes of trainer.devices, or ray for actors of a cluster of Ray.
        actors: with ray, how many classifiers are loaded.
        actor_gpus: with ray, GPUs of each, such as 0.5.
        actor_cpus: with ray, CPUs of each.
    """

    output: str | None = None
    videos: Path | None = None
    unit: int = 64
    table: Format = "csv"
    engine: Literal["lightning", "ray"] = "lightning"
    actors: int = 1
    actor_gpus: float = 0.0
    actor_cpus: float = 1.0


class PredictCLI(LightningCLI):
    """The part of the command line that predicts.

    Args:
        *args: of LightningCLI.
        hold: make everything and predict nothing: an actor is told its units later.
        **kwargs: of LightningCLI.
    """

    def __init__(self, *args: Any, hold: bool = False, **kwargs: Any) -> None:
        self.hold = hold
        self.again = partial(type(self), *args, hold=True, **kwargs)
        super().__init__(*args, **kwargs)

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        if subcommand == "predict":
            parser.add_class_arguments(UnitSettings)
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, without Lightning's warning about arguments given from Python."""
        self.words = args
        self.config = parser.parse_args(args)

    @property
    def unit_settings(self) -> UnitSettings:
        """How results are written as they come; without an output they are not."""
        settings = self.config_init[self.subcommand]
        return UnitSettings(**{name: settings[name] for name in UnitSettings.__dataclass_fields__ if name in settings})

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the trainer; where results are written as they come, it writes nothing itself."""
        if self.subcommand == "predict" and self.unit_settings.output is not None:
            kept = [one for one in kwargs["callbacks"] if not isinstance(one, PredictionWriter)]
            kwargs |= {"logger": False, "callbacks": kept}
            self.save_config_callback = None
        trainer: Trainer = super().instantiate_trainer(**kwargs)
        return trainer

    def before_predict(self) -> None:
        """Let predictions go once they are written: the states of a long video do not fit memory."""
        self.config_init["predict"]["return_predictions"] = False
        settings = self.unit_settings
        if settings.output is None and settings != UnitSettings():
            given = [name for name, value in vars(settings).items() if value != vars(UnitSettings())[name]]
            raise SettingError(
                f"--{given[0]} was given without --output, and means something with it only.",
                "add --output=FOLDER, or leave it out",
            )

    def predict(self, model: Classifier, datamodule: ActionDataModule, **given: Any) -> None:
        """Predict all that is asked for; of what units are left, where results are written as they come."""
        settings = self.unit_settings
        if settings.output is None:
            self.trainer.predict(model, datamodule=datamodule, **given)
            return
        made = (settings.output, model, datamodule, self.trainer, given["ckpt_path"])
        self.run = UnitRun(*made, settings.videos, settings.unit, settings.table)
        if self.hold:
            return
        if settings.engine == "ray":
            left = sorted(set(range(len(self.run.units))) - self.run.units.done())
            make = partial(_actor, self.again, [*self.words, "--trainer.devices=1"], os.getcwd())
            map_units(make, left, settings.actors, settings.actor_cpus, settings.actor_gpus)
        else:
            self.run.predict()
        if self.trainer.is_global_zero:
            self._tell()

    def _tell(self) -> None:
        """Write what all parts leave together, and say what became of the videos."""
        broken, units = self.run.finish(), self.run.units
        for video, _, _, problem in broken[:5]:
            rank_zero_info(f"broken: {video}: {problem}")
        if len(broken) == len(units.names):
            raise DataError(f"None of the {len(broken)} videos could be predicted.", f"see {MANIFEST} in {units.place}")
        done = len(units.done())
        rest = "" if done == len(units) else "; the others are under way in other jobs, or were left: run again"
        folder = " --output=FOLDER" if isinstance(units.place, RemotePlace) else ""
        rank_zero_info(
            f"{done} of {len(units)} units of {len(units.names):,} videos are done, {len(broken)} videos broken{rest}\n"
            f"The results are in {units.place}; one table of them: gad-lightning join {units.place}{folder}"
        )


def _actor(again: Callable[..., PredictCLI], words: list[str], folder: str) -> Callable[[int], None]:
    """Load the classifier in an actor; gives what predicts a unit."""
    if os.path.isdir(folder):
        os.chdir(folder)
    run = again(args=words).run
    return lambda number: run.predict([number])

"""``fit``, ``validate``, ``test``, ``predict``: Lightning's command line with one link and this house's defaults."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import Namespace
from lightning import Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, ModelSummary
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn

from gad_lightning.atomic import make_folder
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.predictions import PredictionWriter
from gad_lightning.classifiers.saving.checkpoint import content_of
from gad_lightning.classifiers.saving.classes import added_names
from gad_lightning.cli.changed import changed, config_beside, is_other_run
from gad_lightning.cli.guards import check_accelerator, refusal_of
from gad_lightning.cli.kept_config import KeptConfig, config_text
from gad_lightning.cli.loading import PARSER_MODE
from gad_lightning.cli.own_options import LightWeights, add_own_options, add_weights
from gad_lightning.cli.predicting import PredictCLI
from gad_lightning.cli.refused import leave
from gad_lightning.cli.restart import last_of_run
from gad_lightning.cli.summary import PlainSummary
from gad_lightning.data.base import ActionDataModule
from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.redact import redact
from gad_lightning.results.run_folder import BEST, CONFIG, FINAL, PREDICTIONS
from gad_lightning.results.standard import monitored
from gad_lightning.training.checkpoint_files import WholeCheckpointIO
from gad_lightning.training.interruption import TRY_AGAIN, Interruption

DEFAULTS = {"default_root_dir": "runs", "use_distributed_sampler": False, "log_every_n_steps": 10}
LOST_WORKER = "DataLoader worker (pid"
WORKER_REMEDY = "lower data.num_workers or data.batch_size, and go on with --ckpt_path=last"
SPECIAL_CHECKPOINTS = ("hpc", "registry")
"""Words that Lightning understands in place of a path."""


def run_trainer(args: Sequence[str]) -> None:
    """Run one of Lightning's commands.

    Args:
        args: command and options.

    Raises:
        SettingError: if Lightning refuses a setting.
    """
    try:
        RunCLI(
            Classifier,
            ActionDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            args=list(args),
            parser_class=Parser,
            parser_kwargs={"prog": "gad-lightning", "parser_mode": PARSER_MODE},
            trainer_defaults=DEFAULTS,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            save_config_callback=KeptConfig,
        )
    except (
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        RuntimeError,
        ImportError,
        MisconfigurationException,
    ) as error:
        if LOST_WORKER in str(error):
            told = str(error).splitlines()[0]
            sys.stderr.write(f"{told}\nThe machine may have run out of memory: {WORKER_REMEDY}\n")
            raise SystemExit(TRY_AGAIN) from error
        refusal = refusal_of(error)
        if refusal is None:
            raise
        raise refusal from error


class Parser(LightningArgumentParser):
    """Says what is wrong in one message, without the usage of all options before it."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Leave with status 2; parsers inside a parser raise instead."""
        if not self.exit_on_error:
            super().error(message, ex)
        parser = getattr(ex, "subcommand_parser", None) or self
        leave(parser, message)


class RunCLI(PredictCLI):
    """Lightning's command line for any classifier on any data."""

    model: Classifier
    datamodule: ActionDataModule

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Link what the model must know of its data; add what ``fit`` can begin from."""
        add_own_options(parser)
        parser.link_arguments("data.schema", "model.init_args.schema", apply_on="instantiate")

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:
        parser: LightningArgumentParser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        if subcommand != "fit":
            add_weights(parser)
        return parser

    def _parse_ckpt_path(self) -> None:
        """Look at the checkpoint before any work is done.

        Lightning would let hyperparameters stored in it override the config: here the config at hand always counts, and
        a file never says which class is imported.
        """
        command = self.config.subcommand
        settings = self.config[command]
        path = settings.get("ckpt_path")
        self.save_config_kwargs = {"restart": bool(path)}
        self.goes_on: Path | None = None
        self.evaluates: Path | None = None  # folder of the run whose checkpoint is evaluated
        self.added: list[str] = []  # classes that the checkpoint's classifier was given after its training
        if path == "best":
            raise SettingError(
                "--ckpt_path=best is only known to the run that trains.",
                "give the path that fit prints at its end, such as runs/.../checkpoints/best.ckpt",
            )
        if path == "last":
            path = settings["ckpt_path"] = self.last_checkpoint(command, settings)
        if path and path.split(":")[0] not in SPECIAL_CHECKPOINTS and "://" not in path:
            self.added = added_names(content_of(WholeCheckpointIO().load_checkpoint(path), path))
            self.tell_changes(command, Path(path))

    def tell_changes(self, command: str, checkpoint: Path) -> None:
        """Warn if a run goes on that had other settings: those at hand count, but for what the optimizer has saved.

        A run below the root folder is evaluated in its own folder if its settings are those at hand.
        """
        settings = self.config[command]
        before = config_beside(checkpoint, Path(settings["trainer"]["default_root_dir"]))
        if before is None:
            return
        found = changed(before, config_text(self._parser(command), settings))
        same = not any(map(is_other_run, found))
        if command != "fit":
            other_split = any(line.startswith("data.predict_split:") for line in found)
            run, root = before.parent.resolve(), Path(settings["trainer"]["default_root_dir"]).resolve()
            if same and not other_split and root in run.parents and os.access(run, os.W_OK):
                self.evaluates = run
            return
        if same:
            self.goes_on = checkpoint
        if found:
            rank_zero_warn(
                f"{checkpoint} was made with other settings, of {before}: {'; '.join(found)}. "
                "The optimizer goes on with its own."
            )

    def last_checkpoint(self, command: str, settings: Namespace) -> str | None:
        """Last checkpoint of this run; None for ``fit`` where there is none: a first start.

        Raises:
            MissingDataError: if there is none to evaluate.
            SettingError: if there are only those of other settings.
        """
        folder = settings["trainer"]["default_root_dir"]
        found = last_of_run(settings, config_text(self._parser(command), settings), evaluate=command != "fit")
        if found is None and command != "fit":
            seed = settings.get("seed_everything")
            raise MissingDataError(
                f"There is no checkpoint of this data, classifier and seed ({seed}) in {folder}.",
                "give its path as --ckpt_path, or the seed of its run as --seed_everything",
            )
        rank_zero_info(
            f"Going on from {found}" if found else f"A first start: there is no checkpoint of this run in {folder}"
        )
        return None if found is None else str(found)

    def before_instantiate_classes(self) -> None:
        """Refuse what cannot work before a model is loaded."""
        settings = self.config[self.subcommand]
        check_accelerator(settings["trainer"]["accelerator"])
        if settings["trainer"]["barebones"]:
            raise SettingError(
                "trainer.barebones turns logs and checkpoints off, which a run of the command line keeps.",
                "leave trainer.barebones out, or use a Trainer of Lightning in Python",
            )
        if not settings["trainer"]["fast_dev_run"]:
            make_folder(Path(settings["trainer"]["default_root_dir"]))
        if self.subcommand == "fit":
            return
        if not settings["ckpt_path"]:
            rank_zero_warn(f"{self.subcommand} was given no --ckpt_path: the classifier is untrained.")
        if self.added:
            self.count_added_last(settings["data"])

    def count_added_last(self, data: Namespace) -> None:
        """Let the data count classes that were added to the checkpoint's classifier as that does."""
        options = data.init_args
        if "added_classes" not in options:
            raise SettingError(
                f"The checkpoint's classifier was given the classes {', '.join(self.added)}, and {data.class_path} has "
                "no setting added_classes.",
                "let its constructor take **loading, and pass it on to ActionDataModule",
            )
        options.added_classes = options.added_classes or self.added

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Add logger and callbacks where the config does not say otherwise."""
        self.model.other_settings = self.config_init[self.subcommand]["other_settings"]
        settings = self.config_init[self.subcommand]["trainer"]
        if settings["logger"] in (None, True):
            kwargs["logger"] = self.run_logger(Path(settings["default_root_dir"]))
        given = settings["callbacks"] or []
        given = given if isinstance(given, list) else [given]
        kwargs["callbacks"] = [*given, *self.missing(given, settings)]
        if weights := self.config_init[self.subcommand].get("weights"):
            kwargs["callbacks"].append(LightWeights(weights))
        kwargs["enable_model_summary"] = False  # the callbacks have one, and Lightning would say that it adds none
        trainer: Trainer = super().instantiate_trainer(**kwargs)
        return trainer

    def run_logger(self, root: Path) -> CSVLogger:
        """Log to a new numbered folder; evaluation of a run's checkpoint to ``test`` ... in the run's own folder."""
        if self.evaluates is not None:
            place = PREDICTIONS if self.subcommand == "predict" else str(self.subcommand)
            return CSVLogger(self.evaluates, place, version="")
        name = f"{type(self.datamodule).__name__}/{type(self.model).__name__}"
        # the whole path, as a resumed run finds its best checkpoint by it
        return CSVLogger(root.resolve(), name)

    def missing(self, given: Sequence[Callback], settings: Any) -> list[Callback]:
        """Callbacks that a run needs and the config does not give."""
        if self.subcommand == "predict" and not any(isinstance(callback, PredictionWriter) for callback in given):
            return [PredictionWriter()]
        if self.subcommand != "fit":
            return []
        missing: list[Callback] = []
        summarized = settings["enable_model_summary"] is False or settings["barebones"]
        if not summarized and not any(isinstance(callback, ModelSummary) for callback in given):
            missing.append(PlainSummary())
        if settings["enable_checkpointing"] is False or settings["fast_dev_run"]:
            return missing
        if not any(isinstance(callback, Interruption) for callback in given):
            missing.append(Interruption())
        if not any(isinstance(callback, ModelCheckpoint) for callback in given):
            missing.append(self.best_and_last(settings))
        return missing

    def best_and_last(self, settings: Any) -> ModelCheckpoint:
        """Keep the best and the last checkpoint; a run that goes on keeps them where it had them."""
        validated = settings["limit_val_batches"] != 0 and self.datamodule.videos("val")
        monitor = monitored(self.datamodule.schema) if validated else None
        return ModelCheckpoint(
            dirpath=self.goes_on.resolve().parent if self.goes_on else None,
            monitor=monitor,
            mode="max",
            filename=BEST if monitor else FINAL,
            save_last=True,
            enable_version_counter=False,
        )

    def before_fit(self) -> None:
        """Begin from another classifier's weights, unless this run goes on from its own."""
        settings = self.config_init["fit"]
        if settings["init_from"] and not settings["ckpt_path"]:
            rank_zero_info(f"From {redact(settings['init_from'])}: {self.model.init_from(settings['init_from'])}")

    def after_fit(self) -> None:
        """Say where the checkpoint is and how to test it."""
        callback = self.trainer.checkpoint_callback
        if not isinstance(callback, ModelCheckpoint) or not self.trainer.log_dir:
            return
        kept = callback.best_model_path or callback.last_model_path
        if not callback.best_model_path:
            rank_zero_info("No validation was reached, so no best checkpoint was chosen; the last state is kept.")
        if kept:
            config = config_beside(Path(kept)) or Path(self.trainer.log_dir) / CONFIG
            rank_zero_info(f"To test it: gad-lightning test --config {config} --ckpt_path {kept}")

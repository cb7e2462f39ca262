"""The config.yaml of a run: kept beside its checkpoints, without secrets, and only by the run that it belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.cli.changed import changed, is_other_run
from gad_lightning.cli.loading import as_written
from gad_lightning.environment import stored
from gad_lightning.errors import SettingError
from gad_lightning.results.run_folder import CONFIG


class KeptConfig(SaveConfigCallback):
    """Keeps ``config.yaml`` beside the checkpoints, and never overwrites that of another run.

    Args:
        parser: of the command.
        config: what it has parsed.
        restart: whether the run may have been started before: it was asked for ``--ckpt_path``.
    """

    def __init__(self, parser: LightningArgumentParser, config: Namespace, restart: bool = False) -> None:
        super().__init__(parser, config)
        self.restart = restart

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write it.

        Raises:
            SettingError: in every process, if the folder has that of another run.
        """
        if self.already_saved:
            return
        self.already_saved = True
        folder = trainer.log_dir  # in every process: Lightning sends it around
        told = self._keep(Path(folder or ".")) if trainer.is_global_zero else None
        told = trainer.strategy.broadcast(told)
        if told is not None:
            raise SettingError(*told)

    def _keep(self, folder: Path) -> tuple[str, str] | None:
        """Write the config to a folder; what is wrong and the remedy if that is another run's."""
        text = config_text(self.parser, self.config)
        path = folder / CONFIG
        if path.exists():
            other = [line for line in changed(path, text) if is_other_run(line)] if self.restart else []
            if other or not self.restart:
                differs = f", which differs: {'; '.join(other)}" if other else ""
                return (
                    f"{folder} already has the config.yaml of another run{differs}.",
                    "set trainer.default_root_dir to another folder, or leave trainer.logger out: it numbers its "
                    "folders. To go on with the run that is there, give --ckpt_path=last",
                )
        try:
            make_folder(folder)
            with atomic_write(path) as part:
                part.write_text(text, encoding="utf-8")
        except SettingError as error:
            return error.message, error.remedy
        return None


def config_text(parser: LightningArgumentParser, config: Namespace) -> str:
    """A parsed config as YAML, as it may be stored: secrets hidden, values of the environment by their names."""
    with as_written():
        text: str = parser.dump(_as_stored(config, ""), skip_none=False, skip_validation=True)
    return text


def _as_stored(value: Any, name: str) -> Any:
    """A part of a config as it may be stored."""
    if isinstance(value, Namespace):
        return Namespace(**{key: _as_stored(part, key) for key, part in vars(value).items()})
    if isinstance(value, list):
        return [_as_stored(part, name) for part in value]
    return stored(value, name) if isinstance(value, str | dict) else value

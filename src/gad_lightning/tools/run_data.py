"""The data of a run, made from its config."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentError, ArgumentParser

from gad_lightning.classifiers.saving.checkpoint import content_of
from gad_lightning.classifiers.saving.classes import added_names
from gad_lightning.data.base import ActionDataModule
from gad_lightning.environment import resolve
from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.rebuilding import check_packages
from gad_lightning.results.run_folder import read_config, run_folder_of
from gad_lightning.training.checkpoint_files import read_checkpoint


def data_of(folder: Path, packages: Sequence[str], checkpoint: Path | None = None) -> ActionDataModule:
    """Make the data module of a run's config.

    Args:
        folder: of the run.
        packages: whose classes the config may name.
        checkpoint: whose classifier is used: classes that were added to it count as they do there.

    Raises:
        MissingDataError: if there is no run, or it has no config.
        SettingError: if the data cannot be made, or names a class of another package.
    """
    if not folder.exists():
        raise MissingDataError(f"There is no run or config {folder}.", "give the folder of a run, or its config.yaml")
    config = f"The config of {folder}"
    settings = resolve(read_config(folder), config).get("data")
    if settings is None:
        raise MissingDataError(
            f"{folder} has no config.yaml with data.",
            "give the config.yaml that it was trained with, by --config or --run; the demo leaves none",
        )
    check_packages(settings, packages, config)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--data", type=ActionDataModule)
    try:
        made = parser.instantiate_classes(parser.parse_object({"data": settings})).data
    except ArgumentError as error:
        raise SettingError(f"The data of {folder} cannot be made: {error}", "correct its config.yaml") from error
    data: ActionDataModule = made
    if checkpoint is not None and not data.added_classes:
        data.added_classes = added_names(content_of(read_checkpoint(checkpoint), str(checkpoint)))
    return data


def data_as_trained(checkpoint: Path, run: Path | None, packages: Sequence[str]) -> ActionDataModule:
    """The data of a run; warns if its validation videos are not those that were held out of training.

    Args:
        checkpoint: whose classifier is used.
        run: folder or config; that of the checkpoint if None.
        packages: whose classes the config may name.
    """
    data = data_of(run or run_folder_of(checkpoint), packages, checkpoint)
    stored = read_checkpoint(checkpoint).get(type(data).__qualname__)
    if isinstance(stored, dict):
        data.load_state_dict(stored)
    return data

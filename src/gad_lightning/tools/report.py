"""Write one page about one or several runs: timelines, scores, confusions, calibration, delay, states, config."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ArgumentError, ArgumentParser

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.data.base import ActionDataModule
from gad_lightning.errors import DataError, GadError, MissingDataError, SettingError
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.report.page import page_of
from gad_lightning.report.predicting import predict
from gad_lightning.report.runs import RunTraces, read_run
from gad_lightning.results.run_folder import chosen_checkpoint, predictions_of, read_config


def main(
    runs: list[Path],
    output: Path = Path("report.html"),
    title: str | None = None,
    videos: int = 30,
    predict: Literal["missing", "always", "never"] = "missing",
    allowed: list[str] | None = None,
) -> None:
    """Write one HTML page about runs; it holds everything it shows and fetches nothing.

    A run is a folder that ``fit`` left (config.yaml, checkpoints, metrics.csv), with predictions of its own or of a
    later ``gad-lightning predict`` with its checkpoint. Without any the run's test split is predicted first.

    Args:
        runs: folders, such as runs/ToyActions/GADClassifier/version_0.
        output: the page.
        title: heading of the page; the names of the runs by default.
        videos: timelines shown, at most.
        predict: make predictions where they are missing, always (keeps states for t-SNE, measures speed), or never.
        allowed: further packages whose classes a checkpoint may name, such as your own with a head.
    """
    read, failed = [], []
    for folder, name in zip(runs, _distinct_names(runs), strict=True):
        try:
            if not folder.is_dir():
                raise MissingDataError(f"There is no run {folder}.", "give the folder that holds its config.yaml")
            read.append(_run_of(folder, predict, allowed or [])._replace(name=name))
        except GadError as error:
            failed.append(error)
    if not read:
        raise failed[0]
    names = ", ".join(run.name for run in read)
    text = page_of(read, title or f"Report of {names}", videos)
    make_folder(output.parent)
    with atomic_write(output) as part:
        part.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{output} shows {names}\n")
    if failed:
        raise DataError(f"{len(failed)} of {len(runs)} runs are not on the page. {failed[0].message}", failed[0].remedy)


def _run_of(folder: Path, when: str, allowed: Sequence[str] = ()) -> RunTraces:
    """Read a run, predicting first if need be.

    Raises:
        MissingDataError: if it has no predictions and none may or can be made.
    """
    found = predictions_of(folder)
    if when == "always" or (found is None and when == "missing"):
        checkpoint = chosen_checkpoint(folder)
        if checkpoint is None:
            raise MissingDataError(
                f"{folder} has neither predictions nor a checkpoint to make them with.",
                "give the folder of a run, such as runs/ToyActions/GADClassifier/version_0",
            )
        sys.stdout.write(f"{folder}: predicting the test split with {checkpoint.relative_to(folder)}\n")
        found = predict(folder, checkpoint, _data_of(folder), [*ALLOWED_PACKAGES, *allowed])
    if found is None:
        raise MissingDataError(
            f"{folder} has no predictions.", "leave out --predict=never, or run gad-lightning predict"
        )
    if found not in (folder, folder / "predictions"):
        sys.stdout.write(f"{folder}: with the predictions in {found}\n")
    return read_run(folder, found)


def _data_of(folder: Path) -> ActionDataModule:
    """Make the data module of a run's config.

    Raises:
        MissingDataError: if the run has no config.
        SettingError: if the data cannot be made.
    """
    settings: Any = read_config(folder).get("data")
    if settings is None:
        raise MissingDataError(f"{folder} has no config.yaml with data to predict.", "run gad-lightning predict first")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--data", type=ActionDataModule)
    try:
        made = parser.instantiate_classes(parser.parse_object({"data": settings})).data
    except ArgumentError as error:
        raise SettingError(f"The data of {folder} cannot be made: {error}", "correct its config.yaml") from error
    data: ActionDataModule = made
    return data


def _distinct_names(runs: Sequence[Path]) -> list[str]:
    """What tells runs apart: one part of their paths if one does, else their shortest different ends.

    Example:
        >>> _distinct_names([Path("a/gad/version_0"), Path("a/disc/version_0")])
        ['gad', 'disc']
        >>> _distinct_names([Path("a/gad/version_0"), Path("a/disc/version_0"), Path("a/gad/version_1")])
        ['gad/version_0', 'disc/version_0', 'gad/version_1']

    Raises:
        SettingError: if a run stands there twice.
    """
    parts = [path.resolve().parts for path in runs]
    depth = range(1, min(map(len, parts), default=1) + 1)
    choices = [[part[-place] for part in parts] for place in depth]
    choices += [["/".join(part[-place:]) for part in parts] for place in range(1, max(map(len, parts), default=1) + 1)]
    names = next((names for names in choices if len(set(names)) == len(names)), None)
    if names is None:
        raise SettingError("A run is given twice.", "give each run once")
    return names

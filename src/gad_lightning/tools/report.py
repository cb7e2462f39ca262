"""Write one page about one or several runs: timelines, scores, confusions, calibration, delay, states, config."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.errors import DataError, GadError, MissingDataError, SettingError
from gad_lightning.escape import print_safely
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.report.page import MADE_BY, page_of
from gad_lightning.report.player import address_of
from gad_lightning.report.predicting import predict
from gad_lightning.report.runs import RunTraces, read_run
from gad_lightning.results.run_folder import chosen_checkpoint, predictions_of
from gad_lightning.tools.run_data import data_of
from gad_lightning.video.encoding.video_files import video_of
from gad_lightning.video.writing import plays_in_browsers

REPORT = "report.html"
HEAD = 2000
"""Characters at the beginning of a page that say what made it."""


def main(
    runs: list[Path],
    output: Path | None = None,
    title: str | None = None,
    videos: int = 30,
    predict: Literal["missing", "always", "never"] = "missing",
    videos_from: Path | None = None,
    allowed: list[str] | None = None,
) -> None:
    """Write one HTML page about runs; it holds everything it shows and fetches nothing.

    A run is a folder that ``fit`` left (config.yaml, checkpoints, metrics.csv), with predictions of its own or of a
    later ``gad-lightning predict`` with its checkpoint. Without any the run's test split is predicted first. A run that
    cannot be read is left out, and said at the end.

    Args:
        runs: folders, such as runs/ToyActions/GADClassifier/version_0.
        output: the page; report.html in the folder that holds all runs by default, of one run in its own.
        title: heading of the page; the names of the runs by default.
        videos: timelines shown, at most.
        predict: make predictions where they are missing, always (keeps states for t-SNE, measures speed), or never.
        videos_from: folder of the video files, which the page then plays beside their timelines, from where they are.
        allowed: further packages whose classes a checkpoint may name, such as your own with a head.

    Raises:
        SettingError: if a run is given twice, or ``output`` is a page that something else made.
        DataError: if a run cannot be read.
    """
    names = _distinct_names(runs)
    target = _target_of(runs, output)
    if videos_from is not None and not videos_from.is_dir():
        raise MissingDataError(f"There is no folder of videos {videos_from}.", "check --videos_from")
    read, failed = _read(runs, names, predict, allowed or [])
    shown = ", ".join(run.name for run in read)
    sources = None if videos_from is None else _Sources(videos_from, target)
    text = page_of(read, title or f"Report of {shown}", videos, sources)
    make_folder(target.parent)
    with atomic_write(target) as part:
        part.write_text(text, encoding="utf-8")
    print_safely(f"{target} shows {shown}")
    if sources is not None:
        print_safely("\n".join(sources.told()))
    if failed:
        more = "".join(f"\n  {error.message}" for error in failed)
        raise DataError(f"{len(failed)} of {len(runs)} runs are not on the page:{more}", failed[0].remedy)


class _Sources:
    """Finds the files of videos that a page plays, and keeps why others do not play.

    Args:
        folder: of the videos, named as the runs call them.
        page: that plays them.
    """

    def __init__(self, folder: Path, page: Path) -> None:
        self.folder, self.page = folder, page
        self.playing, self.missing, self.unplayed = 0, list[str](), list[str]()

    def __call__(self, video: str) -> str | None:
        """The address of a video, None if there is none that a browser plays."""
        file = video_of(self.folder, video)
        try:
            plays = file is not None and plays_in_browsers(file)
        except GadError:
            plays = False
        if file is None:
            self.missing.append(video)
        elif not plays:
            self.unplayed.append(file.name)
        self.playing += plays
        return address_of(file, self.page) if file is not None and plays else None

    def told(self) -> list[str]:
        """What plays, and what does not and why."""
        lines = [f"{self.playing} videos play on the page, from {self.folder}"]
        if self.missing:
            lines.append(f"note: {len(self.missing)} are not there, first {self.missing[0]}")
        if self.unplayed:
            first = self.unplayed[0]
            lines.append(
                f"note: {len(self.unplayed)} are of a kind that browsers do not play, first {first}: "
                "convert them to H.264 in mp4"
            )
        return lines


def _target_of(runs: Sequence[Path], output: Path | None) -> Path:
    """Where the page goes.

    Raises:
        SettingError: if a file is there that is no page of this command.
    """
    home = Path(os.path.commonpath([run.resolve() for run in runs]))
    target = output or (runs[0] if len(runs) == 1 else home) / REPORT
    if target.is_file():
        with target.open(encoding="utf-8", errors="replace") as file:
            if MADE_BY not in file.read(HEAD):
                raise SettingError(
                    f"{target} is there and was not made by gad-lightning report.", "choose another --output"
                )
    return target


def _read(
    runs: Sequence[Path], names: Sequence[str], when: str, allowed: Sequence[str]
) -> tuple[list[RunTraces], list[GadError]]:
    """Read runs, and keep why others cannot be read.

    Raises:
        GadError: of the first, if none can be.
    """
    read: list[RunTraces] = []
    failed: list[GadError] = []
    for folder, name in zip(runs, names, strict=True):
        try:
            if not folder.is_dir():
                raise MissingDataError(f"There is no run {folder}.", "give the folder that holds its config.yaml")
            read.append(_run_of(folder, when, allowed)._replace(name=name))
        except GadError as error:
            failed.append(error)
    if not read:
        raise failed[0]
    return read, failed


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
        packages = [*ALLOWED_PACKAGES, *allowed]
        print_safely(f"{folder}: predicting the test split with {checkpoint.relative_to(folder)}")
        found = predict(folder, checkpoint, data_of(folder, packages, checkpoint), packages)
    if found is None:
        raise MissingDataError(
            f"{folder} has no predictions.", "leave out --predict=never, or run gad-lightning predict"
        )
    if found not in (folder, folder / "predictions"):
        print_safely(f"{folder}: with the predictions in {found}")
    return read_run(folder, found)


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

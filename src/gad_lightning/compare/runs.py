"""Runs many configs with many seeds, each in processes of its own; what is finished is not run again."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any, Literal, NamedTuple

from gad_lightning.atomic import FolderLock, make_folder
from gad_lightning.compare.processes import run_command
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.results.predictions import ABOUT, FRAMES, SEGMENTS
from gad_lightning.results.run_folder import CHECKPOINTS, CONFIG, LAST, METRICS, PREDICTIONS, chosen_checkpoint
from gad_lightning.results.tables import read_json, write_json

JOB, RECORD, RESULT, LOG, ASKED = "job.json", "record.json", "result.json", "log.txt", "asked.yaml"
Job = dict[str, Any]
_JOB_KEYS = {"config", "overrides", "seed"}
_LEFT_BY_A_RUN = (
    *(RECORD, RESULT, LOG, ASKED, CONFIG, METRICS, "hparams.yaml", f"{CHECKPOINTS}/*.ckpt", f"{PREDICTIONS}/{ABOUT}"),
    *(f"{PREDICTIONS}/{Path(name).stem}.*" for name in (FRAMES, SEGMENTS)),
)
"""Patterns of the files in the folder of a run."""
QUIET = ("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false")
OVERRIDE = re.compile(r"\+(?=[a-z_][\w.]*\+?=)")
"""Where an override begins: ``runs/a.yaml+trainer.max_epochs=2+model.head=my.Head``."""
SEED = "{seed}"
"""In an override, stands for the seed of the run."""


class Variant(NamedTuple):
    """One row of a comparison: a config and what is changed in it."""

    name: str
    config: Path
    overrides: tuple[str, ...] = ()
    trained_as: str = ""  # another variant, whose checkpoints this one predicts with: only how they are read differs

    @classmethod
    def parse(cls, text: str) -> Variant:
        """Read ``[NAME:]CONFIG[+KEY=VALUE]...``; without a name it is that of file and overrides.

        Raises:
            MissingDataError: if there is no such config.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> with TemporaryDirectory() as folder:
            ...     _ = Path(folder, "gad.yaml").write_text("")
            ...     Variant.parse(f"{folder}/gad.yaml+trainer.max_epochs=2").name
            'gad trainer.max_epochs=2'
        """
        path, *overrides = OVERRIDE.split(text)
        name, colon, rest = path.partition(":")
        if not colon or Path(path).is_file():
            name, rest = " ".join([Path(path).stem, *overrides]), path
        config = Path(rest)
        if not config.is_file():
            raise MissingDataError(f"There is no config {rest}.", "write [NAME:]CONFIG[+KEY=VALUE]...")
        return cls(name, config, tuple(overrides))

    @property
    def folder(self) -> str:
        """Name of its folder."""
        return _folder_of(self.name)


def _folder_of(name: str) -> str:
    """Name of a variant's folder."""
    return re.sub(r"[^\w.=,-]+", "-", name).strip("-.")


class Run(NamedTuple):
    """A variant with a seed."""

    variant: Variant
    seed: int
    home: Path  # its own folder

    @property
    def asked(self) -> Job:
        """All that decides what comes out; with another variant's checkpoint, what that one was asked too."""
        made: Job = {
            "config": self.variant.config.read_text(encoding="utf-8"),
            "overrides": [override.replace(SEED, str(self.seed)) for override in self.variant.overrides],
            "seed": self.seed,
        }
        if self.variant.trained_as:
            made |= {"trained_as": self.variant.trained_as, "trained": _read_job(self.trained)}
        return made

    @property
    def trained(self) -> Path:
        """Folder of the run whose checkpoint it predicts with: its own, or another variant's of the same seed."""
        name = self.variant.trained_as
        return self.home.parent.parent / _folder_of(name) / str(self.seed) if name else self.home

    @property
    def finished(self) -> bool:
        """Whether it has its result."""
        return (self.home / RESULT).is_file() and (self.home / PREDICTIONS / FRAMES).is_file()

    def changed(self) -> bool:
        """Whether what is there was asked for by another config."""
        return (self.home / JOB).is_file() and _read_job(self.home) != self.asked

    def commands(self) -> list[list[str]]:
        """Fit, then predict with the checkpoint that validation chose."""
        home, seed = self.home, self.seed
        where = [f"--config={home / ASKED}", f"--seed_everything={seed}", f"--data.seed={seed}"]
        where += [f"--{override}" for override in self.asked["overrides"]]
        where += [*QUIET, "--trainer.callbacks+=gad_lightning.compare.record.RunRecord"]
        where += [f"--trainer.callbacks.target={home / RECORD}"]
        logged = ["--trainer.logger=lightning.pytorch.loggers.CSVLogger", f"--trainer.logger.save_dir={home}"]
        logged += ["--trainer.logger.name=", "--trainer.logger.version=", f"--trainer.default_root_dir={home}"]
        predicted = ["--trainer.callbacks+=gad_lightning.PredictionWriter"]
        predicted += [f"--trainer.callbacks.folder={home / PREDICTIONS}", "--trainer.logger=false"]
        predicted += [f"--trainer.default_root_dir={home / PREDICTIONS}"]
        return [["fit", *where, *logged], ["predict", *where, *predicted]]


def check_runs(runs: Iterable[Run], changed: Literal["refuse", "rerun"]) -> None:
    """Look at what is there before anything starts.

    Raises:
        SettingError: if two variants share a name, a folder was made by something else, or a config changed since its
            run and that is refused.
    """
    homes: dict[Path, Variant] = {}
    for run in runs:
        known = homes.setdefault(run.home, run.variant)
        if known != run.variant:
            raise SettingError(
                f"Two variants are called {run.variant.name!r}, of {known.config} with {list(known.overrides)} and of "
                f"{run.variant.config} with {list(run.variant.overrides)}.",
                "give them names: NAME:CONFIG[+KEY=VALUE]...",
            )
        _check_own(run.home)
        if changed == "refuse" and run.finished and run.changed():
            raise SettingError(
                f"{run.home} is a finished run of another config than {run.variant.config} with "
                f"{list(run.variant.overrides)} is now.",
                "choose another --output, or run what changed anew with --changed=rerun",
            )


def _check_own(home: Path) -> None:
    """Refuse a folder that was not made by a comparison: its files are not ours to remove.

    Raises:
        SettingError: naming something that lies there.
    """
    if home.is_symlink() or (home.exists() and not home.is_dir()):
        raise SettingError(f"{home} is a link or a file, not the folder of a run.", "choose another --output")
    found = sorted(home.iterdir()) if home.is_dir() else []
    if found and not set(_read_job(home) or {}) >= _JOB_KEYS:
        raise SettingError(
            f"{home} holds {found[0].name!r} and no {JOB} of a comparison: something else made it.",
            "choose another --output, or move that folder away",
        )


def _read_job(home: Path) -> Job | None:
    """What a run was asked; None if it is not there or damaged."""
    try:
        return read_json(home / JOB)
    except DataError:
        return None


def run_all(runs: Sequence[Run], jobs: int, threads: int, say: Callable[[str], None]) -> list[Run]:
    """Run what is not finished, ``jobs`` at once; return the runs that failed, whose logs say why.

    Each run gets ``threads`` threads, whatever the number of jobs: sums are rounded by how they are split, so the
    numbers depend on it. The folders of the variants are held meanwhile.

    Raises:
        SettingError: if another process runs in the same folder.
    """
    with ExitStack() as held:
        for folder in sorted({run.home.parent.parent for run in runs}):
            lock = FolderLock(folder)
            lock.take()
            held.callback(lock.release)
        return _run_missing(runs, jobs, threads, say)


def _run_missing(runs: Sequence[Run], jobs: int, threads: int, say: Callable[[str], None]) -> list[Run]:
    """Run what is not finished: see :func:`run_all`."""
    stop = Event()
    failed: list[Run] = []
    missing = sum(not run.finished or run.changed() for run in runs)
    say(f"{len(runs)} runs, {len(runs) - missing} of them finished before")
    number = 0
    with ThreadPoolExecutor(jobs) as pool:
        for trained_elsewhere in (False, True):  # those that need the checkpoints of others come after all these
            some = [run for run in runs if bool(run.variant.trained_as) == trained_elsewhere]
            some = [run for run in some if not run.finished or run.changed()]
            started = {pool.submit(_run_one, run, threads, stop): run for run in some}
            try:
                for future in as_completed(started):
                    run, fine, number = started[future], future.result(), number + 1
                    failed += [] if fine else [run]
                    state = "finished" if fine else f"FAILED, see {run.home / LOG}"
                    say(f"{number} of {max(number, missing)}: {run.variant.name}, seed {run.seed}: {state}")
            except BaseException:
                stop.set()  # Ctrl-C: the runs that are going on end, those that wait do not start
                raise
    return failed


def _clear(home: Path) -> None:
    """Remove what an earlier run left, and nothing else that may lie there."""
    for name in _LEFT_BY_A_RUN:
        for path in home.glob(name):
            if path.is_file() or path.is_symlink():
                path.unlink()


def _run_one(run: Run, threads: int, stop: Event) -> bool:
    """Do one run from the start; whether it went well. What an unfinished run left is removed first."""
    if stop.is_set():
        return False
    _check_own(run.home)
    _clear(make_folder(run.home))
    write_json(run.home / JOB, run.asked)
    (run.home / ASKED).write_text(run.asked["config"], encoding="utf-8")
    fit, predict = run.commands()
    if run.trained != run.home:
        if (run.trained / RESULT).is_file():
            shutil.copy(run.trained / RESULT, run.home / RECORD)
    elif not run_command(fit, run.home / LOG, threads, stop):
        return False
    checkpoint = chosen_checkpoint(run.trained)
    if checkpoint is None:
        with (run.home / LOG).open("a", encoding="utf-8") as file:
            file.write(
                f"The run kept no checkpoint in {run.trained / CHECKPOINTS}, so there is nothing to predict with.\n"
            )
        return False
    if not run_command([*predict, f"--ckpt_path={checkpoint}"], run.home / LOG, threads, stop):
        return False
    for path in (run.home / CHECKPOINTS).glob(f"{LAST}*.ckpt"):
        if path != checkpoint:
            path.unlink()
    os.replace(run.home / RECORD, run.home / RESULT)
    return True

"""Runs many configs with many seeds, each in processes of its own; what is finished is not run again."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event
from typing import Any, Literal, NamedTuple

from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.tools.compare_record import write_json
from gad_lightning.video.atomic import make_folder

JOB, RECORD, RESULT, LOG, CONFIG = "job.json", "record.json", "result.json", "log.txt", "asked.yaml"
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
        return re.sub(r"[^\w.=,-]+", "-", self.name).strip("-.")


class Run(NamedTuple):
    """A variant with a seed."""

    variant: Variant
    seed: int
    home: Path  # its own folder

    @property
    def asked(self) -> dict[str, Any]:
        """All that decides what comes out."""
        return {
            "config": self.variant.config.read_text(encoding="utf-8"),
            "overrides": [override.replace(SEED, str(self.seed)) for override in self.variant.overrides],
            "seed": self.seed,
        }

    @property
    def finished(self) -> bool:
        """Whether it has its result."""
        return (self.home / RESULT).is_file()

    def changed(self) -> bool:
        """Whether what is there was asked for by another config."""
        job = self.home / JOB
        return job.is_file() and json.loads(job.read_text(encoding="utf-8")) != self.asked

    def commands(self) -> list[list[str]]:
        """Fit, then predict with the checkpoint that validation chose."""
        home, seed = self.home, self.seed
        where = [f"--config={home / CONFIG}", f"--seed_everything={seed}", f"--data.seed={seed}"]
        where += [f"--{override}" for override in self.asked["overrides"]]
        where += [*QUIET, "--trainer.callbacks+=gad_lightning.tools.compare_record.RunRecord"]
        where += [f"--trainer.callbacks.target={home / RECORD}"]
        logged = ["--trainer.logger=lightning.pytorch.loggers.CSVLogger", f"--trainer.logger.save_dir={home}"]
        logged += ["--trainer.logger.name=", "--trainer.logger.version=", f"--trainer.default_root_dir={home}"]
        predicted = ["--trainer.callbacks+=gad_lightning.classifiers.predictions.PredictionWriter"]
        predicted += [f"--trainer.callbacks.folder={home / 'predictions'}", "--trainer.logger=false"]
        predicted += [f"--trainer.default_root_dir={home / 'predictions'}"]
        program = [sys.executable, "-m", "gad_lightning"]
        return [[*program, "fit", *where, *logged], [*program, "predict", *where, *predicted]]


def check_runs(runs: Iterable[Run], changed: Literal["refuse", "rerun"]) -> None:
    """Look at what is there before anything starts.

    Raises:
        SettingError: if two variants share a name, or a config changed since its run and that is refused.
    """
    homes: dict[Path, Variant] = {}
    for run in runs:
        if homes.setdefault(run.home, run.variant) != run.variant:
            raise SettingError(
                f"Two variants are called {run.variant.name!r}.", "give them names: NAME:CONFIG[+KEY=VALUE]..."
            )
        if changed == "refuse" and run.finished and run.changed():
            raise SettingError(
                f"{run.home} is a finished run of another config than {run.variant.config} with "
                f"{list(run.variant.overrides)} is now.",
                "choose another --output, or run what changed anew with --changed=rerun",
            )


def run_all(runs: Sequence[Run], jobs: int, threads: int, say: Callable[[str], None]) -> list[Run]:
    """Run what is not finished, ``jobs`` at once; return the runs that failed, whose logs say why.

    Each run gets ``threads`` threads, whatever the number of jobs: sums are rounded by how they are split, so the
    numbers depend on it.
    """
    stop = Event()
    failed = []
    missing = [run for run in runs if not run.finished or run.changed()]
    say(f"{len(runs)} runs, {len(runs) - len(missing)} of them finished before")
    with ThreadPoolExecutor(jobs) as pool:
        started = {pool.submit(run_one, run, threads, stop): run for run in missing}
        try:
            for number, done in enumerate(as_completed(started), 1):
                run = started[done]
                fine = done.result()
                failed += [] if fine else [run]
                state = "finished" if fine else f"FAILED, see {run.home / LOG}"
                say(f"{number} of {len(missing)}: {run.variant.name}, seed {run.seed}: {state}")
        except BaseException:
            stop.set()  # Ctrl-C: the runs that are going on end, those that wait do not start
            raise
    return failed


def run_one(run: Run, threads: int, stop: Event) -> bool:
    """Do one run from the start; whether it went well. What an unfinished run left is removed first."""
    if stop.is_set():
        return False
    if run.home.exists():
        shutil.rmtree(run.home)
    make_folder(run.home)
    (run.home / CONFIG).write_text(run.asked["config"], encoding="utf-8")
    write_json(run.home / JOB, run.asked)
    room = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, **room}
    fit, predict = run.commands()
    if not run_command(fit, run.home / LOG, environment, stop):
        return False
    checkpoint = checkpoint_of(run.home)
    if checkpoint is None:
        with (run.home / LOG).open("a", encoding="utf-8") as file:
            file.write(
                f"The run kept no checkpoint in {run.home / 'checkpoints'}, so there is nothing to predict with.\n"
            )
        return False
    if not run_command([*predict, f"--ckpt_path={checkpoint}"], run.home / LOG, environment, stop):
        return False
    for path in (run.home / "checkpoints").glob("last*.ckpt"):
        path.unlink()
    os.replace(run.home / RECORD, run.home / RESULT)
    return True


def run_command(words: Sequence[str], log: Path, environment: dict[str, str], stop: Event) -> bool:
    """Run a command, its words and all it prints in the log; whether it ended well."""
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {shlex.join(words)}\n")
        file.flush()
        with subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT, env=environment) as process:
            while process.poll() is None:
                if stop.wait(0.1):
                    process.terminate()
                    return False
        file.write(f"exit status {process.returncode}\n")
    return process.returncode == 0


def checkpoint_of(home: Path) -> Path | None:
    """The checkpoint that validation chose, or the only one if there is no validation."""
    found = [path for path in sorted((home / "checkpoints").glob("*.ckpt")) if not path.name.startswith("last")]
    return next((path for path in found if path.name == "best.ckpt"), found[-1] if found else None)

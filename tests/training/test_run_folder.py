"""A run's folder: the last checkpoint is the last state, foreign paths count for nothing, two runs never share it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.training.checkpoint_files import newest_checkpoint, read_checkpoint
from gad_lightning.training.interruption import Interruption, Stopped
from tests.training.program import Run, train


class Scores(Callback):
    """Logs a score that falls after the first validation, or rises."""

    def __init__(self, direction: int = -1) -> None:
        self.direction = direction

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log it."""
        pl_module.log("score", float(self.direction * trainer.global_step))


class Steps(Callback):
    """Notes the step of the last checkpoint when the epoch after a validation begins."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[tuple[int, int]] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note it."""
        if trainer.current_epoch:
            self.seen.append((step_of(self.path), trainer.global_step))


def keeper(folder: Path, **settings: Any) -> ModelCheckpoint:
    """Lightning's own callback, as a user gives it."""
    usual = {"monitor": "score", "mode": "max", "filename": "best", "save_last": True}
    return ModelCheckpoint(folder, **{**usual, **settings})


def step_of(path: Path) -> int:
    """Optimizer steps of a checkpoint."""
    step: int = read_checkpoint(path)["global_step"]
    return step


@pytest.mark.parametrize("save_last", [True, "link"])
def test_last_is_the_state_after_every_validation_though_the_best_is_older(
    save_last: Literal[True, "link"], tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    steps = Steps(folder / "last.ckpt")
    train(Run(tmp_path, epochs=3, callbacks=(Scores(), steps, keeper(folder, save_last=save_last))))
    assert steps.seen == [(5, 5), (10, 10)]
    assert {path.name: step_of(path) for path in folder.glob("*.ckpt")} == {"best.ckpt": 5, "last.ckpt": 15}


def test_last_is_the_state_at_the_end_of_a_run_that_ends_between_validations(tmp_path: Path) -> None:
    train(Run(tmp_path, epochs=3, steps=8, callbacks=(Scores(), keeper(tmp_path / "kept"))))
    assert step_of(tmp_path / "kept" / "last.ckpt") == 8


def test_names_of_last_checkpoints_may_tell_the_step_and_one_is_kept(tmp_path: Path) -> None:
    own = keeper(tmp_path / "kept")
    own.CHECKPOINT_NAME_LAST = "last-{step}"
    train(Run(tmp_path, epochs=3, callbacks=(Scores(), own)))
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"best.ckpt", "last-step=15.ckpt"}


def test_without_save_last_there_is_none(tmp_path: Path) -> None:
    train(Run(tmp_path, callbacks=(Scores(), keeper(tmp_path / "kept", save_last=None))))
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"best.ckpt"}


@pytest.mark.parametrize("prefix", ["", "local://", "file://"])
def test_a_checkpoint_from_elsewhere_removes_nothing(prefix: str, tmp_path: Path) -> None:
    train(Run(tmp_path / "a", callbacks=(Scores(1), keeper(tmp_path / "a"))))
    theirs = tmp_path / "from_a_colleague.ckpt"
    folder, file, beside = tmp_path / "precious", tmp_path / "thesis.txt", tmp_path / "b" / "other.ckpt"
    folder.mkdir()
    (folder / "thesis.txt").write_text("thesis")
    file.write_text("thesis")
    beside.parent.mkdir()
    beside.write_bytes((tmp_path / "a" / "best.ckpt").read_bytes())  # of another run, in this run's folder
    content = read_checkpoint(tmp_path / "a" / "last.ckpt")
    content["exact_resume"]["run"] = "of a colleague"
    state = next(state for name, state in content["callbacks"].items() if name.startswith("ModelCheckpoint"))
    low = torch.tensor(-1e9)
    evil = [f"{prefix}{path}" for path in (folder, file, beside, f"{tmp_path}/b/../precious")]
    state.pop("dirpath")
    state |= {"best_k_models": dict.fromkeys(evil, low), "kth_best_model_path": evil[0], "kth_value": low}
    state |= {"best_model_path": evil[0], "best_model_score": low, "last_model_path": evil[0]}
    torch.save(content, theirs)
    train(Run(tmp_path, resume=theirs, epochs=4, callbacks=(Scores(1), keeper(tmp_path / "b", save_top_k=1))))
    assert (folder / "thesis.txt").read_text() == file.read_text() == "thesis"
    assert {path.name for path in beside.parent.iterdir()} == {"other.ckpt", "best.ckpt", "last.ckpt"}


@pytest.mark.parametrize("states", [{"ModelCheckpoint": 3}, {"ModelCheckpoint": {}}])
def test_states_that_are_none_are_refused(states: Any, tmp_path: Path) -> None:
    train(Run(tmp_path / "a", epochs=1, callbacks=(Scores(), keeper(tmp_path / "a"))))
    content = read_checkpoint(tmp_path / "a" / "last.ckpt")
    name = next(name for name in content["callbacks"] if name.startswith("ModelCheckpoint"))
    content["callbacks"] = {name: states["ModelCheckpoint"]}
    torch.save(content, tmp_path / "bad.ckpt")
    with pytest.raises(CheckpointError, match="states of callbacks are damaged"):
        train(Run(tmp_path, resume=tmp_path / "bad.ckpt", callbacks=(Scores(), keeper(tmp_path / "b"))))


def test_a_resumed_run_knows_its_best_also_where_its_folder_was_moved(tmp_path: Path) -> None:
    train(Run(tmp_path, epochs=2, callbacks=(Scores(), keeper(tmp_path / "kept", filename="{step}"))))
    (tmp_path / "kept").rename(tmp_path / "moved")
    last, own = tmp_path / "moved" / "last.ckpt", keeper(tmp_path / "moved", filename="{step}")
    train(Run(tmp_path, resume=last, epochs=4, callbacks=(Scores(), own)))
    assert own.best_model_path == str(tmp_path / "moved" / "step=5.ckpt")
    assert {path.name: step_of(path) for path in last.parent.iterdir()} == {"step=5.ckpt": 5, "last.ckpt": 20}
    train(Run(tmp_path, resume=last, epochs=6, callbacks=(Scores(1), keeper(last.parent, filename="{step}"))))
    assert {path.name for path in last.parent.iterdir()} == {"step=30.ckpt", "last.ckpt"}, "its old best is removed"


HOLDER = """
import sys, time
from pathlib import Path
from gad_lightning.atomic import FolderLock
lock = FolderLock(Path(sys.argv[1]))
lock.take()
print("held", flush=True)
time.sleep(60)
"""


def test_two_runs_never_write_to_one_folder_but_a_killed_one_leaves_it_free(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    other = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    run = Run(tmp_path, epochs=1, callbacks=(Interruption(),))
    try:
        with pytest.raises(SettingError, match=rf"checkpoints is being written by another run: process {other.pid} on"):
            train(run)
    finally:
        other.kill()
        other.wait()
    assert train(run).steps == 5
    assert not list(folder.iterdir())


def test_the_newest_is_of_most_steps_whatever_the_clock_says_and_is_never_removed(tmp_path: Path) -> None:
    stops = Run(tmp_path, signal_at=("batch_end", 4), callbacks=(Interruption(every_seconds=None, every_steps=1),))
    with pytest.raises(Stopped):
        train(stops)
    folder = tmp_path / "checkpoints"
    for later, path in enumerate(sorted(folder.iterdir())):
        os.utime(path, (time.time() + 3600 + later,) * 2)
    with pytest.raises(Stopped) as stopped:
        train(stops._replace(resume=newest_checkpoint(tmp_path), signal_at=("batch_end", 8)))
    assert stopped.value.checkpoint == newest_checkpoint(tmp_path) == folder / "last-00000008.ckpt"
    assert sorted(path.name for path in folder.iterdir()) == ["last-00000007.ckpt", "last-00000008.ckpt"]

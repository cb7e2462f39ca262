"""Ctrl-C, a closed terminal, a killed loader process: each leaves a checkpoint, before the first one too."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from gad_lightning.training.checkpoint_files import newest_checkpoint
from gad_lightning.training.checkpoint_reading import read_checkpoint
from gad_lightning.training.interruption import INTERRUPTED, TRY_AGAIN

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
model:
  class_path: gad_lightning.GADClassifier
  init_args:
    backbone: {{class_path: gad_lightning.TinyBackbone, init_args: {{hidden_size: 16, num_layers: 1}}}}
data:
  class_path: gad_lightning.ToyActions
  init_args: {{num_videos: 16, short_memory: 8, stride: 1, batch_size: 4, num_workers: {workers}}}
trainer:
  accelerator: cpu
  max_epochs: 500
  limit_val_batches: 0
  enable_progress_bar: {bar}
  enable_model_summary: false
  default_root_dir: {root}
  callbacks: [{{class_path: tests.training.test_stopping.Steps, init_args: {{path: {root}/steps}}}}]
"""


class Steps(Callback):
    """Writes down how many steps are done.

    Args:
        path: file to write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Write it down."""
        Path(self.path).write_text(str(trainer.global_step))


def command(root: Path, workers: int = 0, bar: bool = False) -> list[str]:
    """Command of a long run."""
    (root / "run.yaml").write_text(CONFIG.format(root=root, workers=workers, bar=str(bar).lower()))
    return [sys.executable, "-m", "gad_lightning", "fit", f"--config={root}/run.yaml", "--ckpt_path=last"]


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


def wait_for(root: Path, alive: Callable[[], bool], step: int = 5) -> int:
    """Wait until a run has done some steps; how many they are."""
    path = root / "steps"
    end = time.monotonic() + 150
    while time.monotonic() < end and alive():
        done = int(path.read_text() or 0) if path.is_file() else 0
        if done >= step:
            return done
        time.sleep(0.05)
    raise AssertionError("the run ended, or did no steps")


def steps_kept(root: Path) -> int:
    """Steps of the newest checkpoint."""
    newest = newest_checkpoint(root)
    assert newest is not None
    content = read_checkpoint(newest)
    assert all(bool(torch.isfinite(weight).all()) for weight in content["state_dict"].values())
    steps: int = content["global_step"]
    return steps


@pytest.mark.slow  # starts a run of its own
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGHUP, TRY_AGAIN)])
def test_a_signal_before_the_first_checkpoint_loses_nothing(number: int, code: int, tmp_path: Path) -> None:
    run = subprocess.Popen(command(tmp_path), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    done = wait_for(tmp_path, lambda: run.poll() is None)
    run.send_signal(number)
    _, told = run.communicate(timeout=60)
    assert run.returncode == code, told
    assert "Traceback" not in told
    assert steps_kept(tmp_path) >= done


@pytest.mark.slow  # starts a run of its own
def test_a_closed_terminal_loses_nothing(tmp_path: Path) -> None:
    words = command(tmp_path, bar=True)
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(tmp_path)
        os.execve(words[0], words, ENVIRONMENT)
    os.set_blocking(terminal, False)

    def alive() -> bool:
        with contextlib.suppress(BlockingIOError):
            os.read(terminal, 100_000)
        return os.waitpid(process, os.WNOHANG)[0] == 0

    done = wait_for(tmp_path, alive)
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert steps_kept(tmp_path) >= done
    assert status == TRY_AGAIN


@pytest.mark.slow  # starts a run of its own
def test_a_killed_process_that_loads_data_loses_nothing(tmp_path: Path) -> None:
    words = command(tmp_path, workers=2)
    run = subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    done = wait_for(tmp_path, lambda: run.poll() is None)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    assert len(children) >= 2
    os.kill(int(children[-1]), signal.SIGKILL)
    _, told = run.communicate(timeout=60)
    assert run.returncode == TRY_AGAIN, told
    assert "Traceback" not in told
    assert steps_kept(tmp_path) >= done

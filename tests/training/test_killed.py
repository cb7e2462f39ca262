"""Killed without warning, on one process and on two, and resumed with another number of workers or processes."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from gad_lightning.cli import main
from gad_lightning.training.checkpoint_files import newest_checkpoint, read_checkpoint
from gad_lightning.training.interruption import TRY_AGAIN, Interruption
from tests.training.program import NO_DROPOUT, Run, finished, launch


@pytest.mark.slow  # starts processes of their own
@pytest.mark.parametrize("processes", [1, 2])
def test_killed_and_resumed_with_other_workers(processes: int, tmp_path: Path) -> None:
    run = Run(tmp_path, processes=processes, epochs=3)
    whole = finished(run)
    saves = Interruption(every_seconds=None, every_steps=1)
    codes, ending = launch(run._replace(kill_at=9, callbacks=(saves,)))
    assert codes == [-signal.SIGKILL] * processes
    assert ending is None
    newest = newest_checkpoint(tmp_path)
    assert newest == tmp_path / "checkpoints" / "last-00000008.ckpt"
    for workers in (0, 2):
        rest = finished(run._replace(resume=newest, workers=workers))
        assert rest.samples == whole.samples[8:]
        assert rest.losses == {step: loss for step, loss in whole.losses.items() if step >= 8}
        assert rest.validations == {step: values for step, values in whole.validations.items() if step >= 8}
        assert rest[3:] == whole[3:]


@pytest.mark.slow  # starts processes of their own
def test_resumed_on_another_number_of_processes_no_sample_is_lost_or_repeated(tmp_path: Path) -> None:
    run = Run(tmp_path, lora=NO_DROPOUT, save_at=(("batch_end", 3),))
    whole = finished(run)
    for processes in (2, 4):
        resumed = run._replace(resume=run.checkpoint("batch_end", 3), save_at=(), processes=processes)
        rest = finished(resumed)
        assert rest.steps == whole.steps
        assert rest.samples == whole.samples[3:]
        assert list(rest.losses.values()) == pytest.approx(list(whole.losses.values())[3:], rel=1e-5)
    codes, _ = launch(run._replace(resume=run.checkpoint("batch_end", 3), save_at=(), processes=2, step_samples=8))
    assert codes == [1, 1], "another batch size is refused"


CONFIG = """
model:
  class_path: gad_lightning.GADClassifier
  init_args:
    backbone:
      class_path: gad_lightning.TinyBackbone
      init_args: {hidden_size: 16, num_layers: 1, lora: {r: 4, lora_dropout: 0.2}}
    optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.01}}
data:
  class_path: gad_lightning.ToyActions
  init_args: {num_videos: 16, short_memory: 8, stride: 1, batch_size: 4, num_workers: 1}
trainer:
  accelerator: cpu
  max_epochs: 2
  log_every_n_steps: 1
  enable_progress_bar: false
  enable_model_summary: false
  callbacks: [{class_path: gad_lightning.Interruption, init_args: {every_steps: 7}}]
"""


def logged(root: Path) -> dict[int, str]:
    """Losses by step, of all folders of a run in the order they were made; what was done again must agree."""
    losses: dict[int, str] = {}
    for path in sorted(root.rglob("metrics.csv"), key=lambda path: path.stat().st_mtime):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                if row["train/loss"]:
                    assert losses.setdefault(int(row["step"]), row["train/loss"]) == row["train/loss"]
    return losses


def weights(root: Path) -> dict[str, torch.Tensor]:
    """What a run has trained."""
    last = newest_checkpoint(root)
    assert last is not None
    state: dict[str, torch.Tensor] = read_checkpoint(last)["state_dict"]
    return state


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody stopped, beside its config."""
    root = tmp_path_factory.mktemp("whole")
    (root / "run.yaml").write_text(CONFIG)
    main(["fit", f"--config={root}/run.yaml", f"--trainer.default_root_dir={root}"])
    return root


@pytest.mark.slow  # three starts of the command, each of which imports everything
@pytest.mark.parametrize(("number", "stops"), [(signal.SIGKILL, (20, 70)), (signal.SIGUSR1, (40,))])
def test_the_same_command_again_goes_on(number: int, stops: tuple[int, ...], whole: Path, tmp_path: Path) -> None:
    command = ["fit", f"--config={whole}/run.yaml", "--ckpt_path=last", f"--trainer.default_root_dir={tmp_path}"]
    for at_step in stops:
        process = subprocess.Popen([sys.executable, "-m", "gad_lightning", *command], start_new_session=True)
        while not any(step >= at_step for step in saved_steps(tmp_path)):
            assert process.poll() is None, "it ended before it was stopped"
            time.sleep(0.02)
        os.killpg(process.pid, number)  # as a cluster does: every process of the job, loader workers too
        assert process.wait(60) == (-number if number == signal.SIGKILL else TRY_AGAIN)
    main(command)
    expected, found = weights(whole), weights(tmp_path)
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())
    assert logged(tmp_path).items() <= logged(whole).items()
    assert number == signal.SIGKILL or logged(tmp_path) == logged(whole)  # what a killed one had not written is lost


def saved_steps(root: Path) -> list[int]:
    """Steps of which a checkpoint is there."""
    return [int(path.stem.split("-")[1]) for path in root.rglob("last-*.ckpt")]

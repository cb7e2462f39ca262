"""The scripts for clusters, really run: under a small SLURM that is two programs on the path, and with torchrun."""

from __future__ import annotations

import csv
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gad_lightning.data.toy import ToyActions
from gad_lightning.training.interruption import TRY_AGAIN
from tests.backbones.folders import llama_folder
from tests.backbones.small_hub import small_hub

CLUSTER = Path(__file__).resolve().parents[2] / "experiments" / "cluster"
CONFIG = """
model:
  class_path: gad_lightning.GADClassifier
  init_args:
    backbone:
      class_path: gad_lightning.CausalLM
      init_args: {language_model: someone/llama, lora: {r: 4, lora_dropout: 0.1}}
data:
  class_path: gad_lightning.ToyActions
  init_args: {num_videos: 16, short_memory: 8, stride: 1, batch_size: 2}
trainer:
  accelerator: cpu
  max_epochs: 1
  limit_val_batches: 0
  log_every_n_steps: 1
  enable_progress_bar: false
  callbacks: [{class_path: gad_lightning.Interruption, init_args: {every_steps: 5}}]
"""
SRUN = """#!{python}
# One process for each task, told what SLURM tells it; ends with the worst exit status.
import os, subprocess, sys
words = sys.argv[1:]
while words[0].startswith("--"):
    words.pop(0)
a_node = int(os.environ["SLURM_NTASKS_PER_NODE"])
tasks = []
for number in range(int(os.environ["SLURM_NTASKS"])):
    place = {{"SLURM_PROCID": number, "SLURM_LOCALID": number % a_node, "SLURM_NODEID": number // a_node}}
    tasks.append(subprocess.Popen(words, env=os.environ | {{name: str(value) for name, value in place.items()}}))
open("{tasks}", "w").write(" ".join(str(task.pid) for task in tasks))
sys.exit(max(abs(task.wait()) for task in tasks))
"""
SCONTROL = """#!/bin/sh
echo "$@" >> {asked}
"""


def installed(path: Path, program: str) -> None:
    """Write a program."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(program)
    path.chmod(0o755)


def environment(root: Path, **settings: str) -> dict[str, str]:
    """What a job is told: programs of this environment, runs and weights in ``root``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "SLURM_"))}
    path = f"{root / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {"PATH": path, "GAD_RUNS": str(root / "runs"), "HF_HOME": str(root / "cache"), "OMP_NUM_THREADS": "1"}
    return {**kept, **own, **settings}


def wait_for_checkpoint(root: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a run has written one."""
    while not any(root.rglob("last-*.ckpt")):
        assert process.poll() is None, "it ended before it was stopped"
        time.sleep(0.05)


def steps_logged(root: Path) -> list[int]:
    """Steps whose loss is logged, over all starts of a run."""
    rows = [row for path in root.rglob("metrics.csv") for row in csv.DictReader(path.open(newline=""))]
    return sorted(int(row["step"]) for row in rows if row["train/loss"])


def assert_whole(root: Path) -> None:
    """Every step of the epoch was done once, over all starts."""
    steps = steps_logged(root)
    assert len(steps) > 20
    assert steps == list(range(len(steps)))


@pytest.mark.slow  # starts the command five times, each of which imports everything
def test_a_slurm_job_on_two_nodes_without_a_network_is_preempted_and_goes_on(tmp_path: Path) -> None:
    tasks, asked, config = tmp_path / "tasks", tmp_path / "asked", tmp_path / "run.yaml"
    installed(tmp_path / "bin" / "srun", SRUN.format(python=sys.executable, tasks=tasks))
    installed(tmp_path / "bin" / "scontrol", SCONTROL.format(asked=asked))
    config.write_text(CONFIG)
    llama_folder(tmp_path / "hub" / "someone" / "llama", words=ToyActions().class_names)
    with small_hub(tmp_path / "hub") as hub:
        there = environment(tmp_path, HF_ENDPOINT=hub.address, HF_HUB_DISABLE_XET="1")
        subprocess.run([CLUSTER / "fetch.sh", config], env=there, check=True)

    told = {"JOB_ID": "4711", "JOB_NAME": "gad", "NNODES": "2", "NTASKS": "2", "NTASKS_PER_NODE": "1"}
    slurm = {f"SLURM_{name}": value for name, value in told.items()} | {"SLURM_NODELIST": "localhost,elsewhere"}
    job = environment(tmp_path, HF_ENDPOINT="http://127.0.0.1:9", **slurm)
    command = ["bash", CLUSTER / "slurm.sbatch", config, "--seed_everything=3"]
    first = subprocess.Popen(command, env=job)
    wait_for_checkpoint(tmp_path / "runs" / "slurm-4711", first)
    for task in tasks.read_text().split():
        os.kill(int(task), signal.SIGUSR1)  # as `--signal=USR1@300` has it: to the tasks, not to the script
    assert first.wait(120) == TRY_AGAIN
    assert asked.read_text() == "requeue 4711\n"
    subprocess.run(command, env=job | {"SLURM_RESTART_COUNT": "1"}, check=True)
    assert_whole(tmp_path / "runs" / "slurm-4711")


@pytest.mark.slow  # starts the command four times
def test_torchrun_on_two_nodes_goes_on_when_it_is_started_again(tmp_path: Path) -> None:
    config = tmp_path / "toy" / "run.yaml"
    config.parent.mkdir()
    config.write_text(
        CONFIG.replace("someone/llama", str(llama_folder(tmp_path / "llama", words=ToyActions().class_names)))
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        master = f"127.0.0.1:{free.getsockname()[1]}"
    told = {"NODES": "2", "PROCESSES": "1", "MASTER": master}

    def start(node: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([CLUSTER / "torchrun.sh", config], env=environment(tmp_path, **told, NODE=str(node)))

    nodes = [start(0), start(1)]
    wait_for_checkpoint(tmp_path / "runs" / "toy-run", nodes[0])
    nodes[1].send_signal(signal.SIGUSR1)
    assert all(node.wait(120) != 0 for node in nodes)
    nodes = [start(0), start(1)]
    assert [node.wait(120) for node in nodes] == [0, 0]
    assert_whole(tmp_path / "runs" / "toy-run")


def test_the_job_asks_slurm_for_what_an_interruption_needs() -> None:
    text = (CLUSTER / "slurm.sbatch").read_text()
    asked = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(\S+))?$", text, re.MULTILINE))
    assert "requeue" in asked
    assert asked["open-mode"] == "append"
    assert asked["signal"] == "USR1@300", "to the tasks: B:USR1 would tell the script alone"


@pytest.mark.parametrize("script", ["slurm.sbatch", "torchrun.sh", "fetch.sh"])
def test_a_forgotten_config_is_said(script: str) -> None:
    done = subprocess.run(["bash", CLUSTER / script], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "give" in done.stderr

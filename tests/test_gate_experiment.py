"""The scripts that measure gates: on test videos of a run, and the time of a push at a shape."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gad_lightning.cli import main

ROOT = Path(__file__).resolve().parent.parent / "experiments"
CONFIG = """
model:
  class_path: gad_lightning.DiscriminativeClassifier
  init_args: {backbone: {class_path: gad_lightning.TinyBackbone, init_args: {hidden_size: 16, num_layers: 3}}}
data:
  class_path: gad_lightning.ToyActions
  init_args: {num_videos: 24, mode: one_pass, short_memory: 4, chunk: 32}
trainer: {max_epochs: 1, accelerator: cpu, enable_progress_bar: false, enable_model_summary: false}
"""


def run(script: str, *words: str) -> str:
    """Run a script; give what it printed."""
    done = subprocess.run(
        [sys.executable, str(ROOT / script), *words], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_the_curve_of_a_run_is_drawn_on_its_test_videos(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(CONFIG)
    main(["fit", "--config", str(tmp_path / "run.yaml"), "--trainer.default_root_dir", str(tmp_path)])
    folder = next(path.parent for path in tmp_path.rglob("config.yaml"))
    words = ["--layers", "1", "--loss", "1", "--delay", "99", "--output", str(tmp_path / "found" / "curve.json")]
    printed = run("gate/curve.py", str(folder), *words)
    found = json.loads((tmp_path / "found" / "curve.json").read_text())
    assert (found["layers"], found["depth"]) == (1, 3)
    rows = {row["name"]: row for row in found["test"]}
    assert rows["EveryNth 1"]["same"] == 1
    assert rows["EventGate"] == {**rows[f"EventGate {found['threshold']:g}"], "name": "EventGate"}
    assert "FeatureChange" in printed


@pytest.mark.slow
def test_pushes_with_a_gate_are_timed_beside_those_without(tmp_path: Path) -> None:
    words = ["--streams", "1", "--opens", "4", "--layers", "1", "--frames", "8", "--number", "2", "--device", "cpu"]
    printed = run("bench/gated.py", "--shape", "tiny", *words, "--output", str(tmp_path))
    found = json.loads((tmp_path / "gated_tiny_cpu.json").read_text())["streams"]["1"]
    assert found["no gate"]["whole_share"] == 1
    assert 0 < found["one in 4"]["whole_share"] < 1
    assert "one in 4" in printed

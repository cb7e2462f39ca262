"""The command ``fit-gate``: a checkpoint gets a gate, which the report shows and ``watch`` uses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gad_lightning.cli import main as command
from gad_lightning.errors import SettingError
from gad_lightning.results.gate_table import read_gates
from gad_lightning.tools.fitting.fit_gate import main

CONFIG = """
model:
  class_path: gad_lightning.DiscriminativeClassifier
  init_args: {backbone: {class_path: gad_lightning.TinyBackbone, init_args: {hidden_size: 16, num_layers: 3}}}
data:
  class_path: gad_lightning.ToyActions
  init_args: {num_videos: 24, mode: one_pass, short_memory: 4, chunk: 32}
trainer: {max_epochs: 1, accelerator: cpu, enable_progress_bar: false, enable_model_summary: false}
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint of a small run."""
    home = tmp_path_factory.mktemp("gated")
    (home / "run.yaml").write_text(CONFIG)
    command(["fit", "--config", str(home / "run.yaml"), "--trainer.default_root_dir", str(home)])
    return next(path for path in home.rglob("*.ckpt") if path.name.startswith("best"))


def test_it_prints_what_gates_are_worth_and_leaves_one_in_the_run(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(["fit-gate", f"--ckpt_path={checkpoint}", "--layers=1", "--loss=1", "--delay=99"])
    printed, run = capsys.readouterr().out, checkpoint.parent.parent
    found = read_gates(run)
    assert found is not None
    assert (found.layers, found.depth) == (1, 3)
    assert f"one in {found.rows[0].saved:.1f} by all at once" in printed
    assert f"--gate gad_lightning.EventGate --gate.file {run / 'gate.safetensors'}" in printed
    assert printed.index("(chosen)") < printed.index("no gate") < printed.index("EveryNth 2")
    assert f"Beware: without a gate the label changes {found.changes} times" in printed
    assert (run / "gate.safetensors").is_file()


def test_too_many_layers_are_refused(checkpoint: Path) -> None:
    with pytest.raises(SettingError, match="read by 3 layers, and the language model has 3"):
        main(ckpt_path=checkpoint, layers=3)
    assert json.loads((checkpoint.parent.parent / "gate.json").read_text())["layers"] == 1

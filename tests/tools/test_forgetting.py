"""`gad-lightning forgetting` sweeps the adapter of a run, and saves a checkpoint of any scale."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from gad_lightning.backbones.weights.scaling import AdapterScale
from gad_lightning.classifiers.base import Classifier
from gad_lightning.cli import main
from gad_lightning.errors import CheckpointError, GadError, MissingDataError, SettingError
from gad_lightning.results.forgetting import PICTURE, TABLE, read_forgetting
from gad_lightning.training.checkpoint_files import read_checkpoint
from tests.classifiers.making import batch, random_frames

CONFIG = """
seed_everything: 0
model:
  class_path: gad_lightning.DiscriminativeClassifier
  init_args:
    backbone: {class_path: gad_lightning.TinyBackbone, init_args: {hidden_size: 16, num_layers: 1, lora: {r: 4}}}
    optimizer: {class_path: gad_lightning.PaperAdamW, init_args: {lr: 0.03}}
data:
  class_path: gad_lightning.ToyActions
  init_args: {num_videos: 20, mode: one_pass, short_memory: 4, chunk: 32}
trainer: {max_epochs: 2, accelerator: cpu, enable_progress_bar: false, enable_model_summary: false}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small run with LoRA."""
    home = tmp_path_factory.mktemp("forgetting")
    (home / "run.yaml").write_text(CONFIG)
    main(["fit", "--config", str(home / "run.yaml"), "--trainer.default_root_dir", str(home)])
    return next(home.rglob("best.ckpt")).parents[1]


def best_in(run: Path) -> tuple[float, float]:
    """Segment-F1 and Top-1 of the best epoch, as the run logged them."""
    with (run / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["val/segment_f1"]]
    row = max(rows, key=lambda row: float(row["val/segment_f1"]))
    return float(row["val/segment_f1"]), float(row["val/top1"])


def test_it_sweeps_a_run_whose_metrics_it_meets_at_scale_1(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["forgetting", str(run), "--scales=[0.5]"])
    printed, found = capsys.readouterr().out, read_forgetting(run)
    assert found is not None
    assert [row.scale for row in found.rows] == [0, 0.5, 1]
    at_0, _, at_1 = found.rows
    assert (at_1.metrics["segment_f1"], at_1.metrics["top1"]) == best_in(run)
    assert at_0.probes["kl_neutral"] == at_0.probes["kl_prompts"] == 0
    assert at_1.probes["kl_neutral"] > 0
    assert found.counts["adapter"] == 1216
    assert found.counts["connector"] > 0
    assert (run / "forgetting" / PICTURE).read_bytes().startswith(b"\x89PNG")
    assert (run / "forgetting" / TABLE).is_file()
    assert "KL on neutral text" in printed
    assert "knee" in printed
    assert "1,216 adapter" in printed


def test_a_checkpoint_of_a_scale_is_one_like_any_other_and_equal_to_the_scaled_run(run: Path) -> None:
    source = run / "checkpoints" / "best.ckpt"
    before = source.read_bytes()
    main(["forgetting", str(run), "--scale=0.7"])
    assert source.read_bytes() == before
    found = Classifier.load_from_checkpoint(run / "checkpoints" / "scaled-0.7.ckpt")
    scaled = Classifier.load_from_checkpoint(source)
    frames = random_frames(2, 8, width=scaled.schema.features.width)
    asked = batch(frames, [[1, 4], [7, 5]])
    trained = scaled.score_in_evaluation(asked).scores
    AdapterScale(scaled.backbone).set(0.7)
    assert torch.equal(found.score_in_evaluation(asked).scores, scaled.score_in_evaluation(asked).scores)
    assert not torch.equal(found.score_in_evaluation(asked).scores, trained)
    main(["validate", "--config", str(run / "config.yaml"), f"--ckpt_path={run / 'checkpoints' / 'scaled-0.7.ckpt'}"])


def test_a_scaled_checkpoint_is_neither_the_run_nor_scaled_again(run: Path, tmp_path: Path) -> None:
    main(["forgetting", str(run), "--scale=0.6", f"--output={tmp_path / 'less.ckpt'}"])
    with pytest.raises(SettingError, match=r"less\.ckpt has its adapter at the scale 0\.6 already"):
        main(["forgetting", str(run), f"--checkpoint={tmp_path / 'less.ckpt'}", "--scale=0.5"])


def test_what_was_fitted_to_scale_1_is_dropped(run: Path) -> None:
    source, target = run / "checkpoints" / "best.ckpt", run / "checkpoints" / "half.ckpt"
    main(["calibrate", f"--ckpt_path={source}", "--absent=pool", "--false_alarms_per_hour=400"])
    calibrated = run / "checkpoints" / "calibrated.ckpt"
    with pytest.warns(UserWarning, match="At another scale the scores are others"):
        main(["forgetting", str(run), "--scale=0.5", f"--checkpoint={calibrated}", f"--output={target}"])
    assert read_checkpoint(calibrated)["gad_lightning"]["decisions"]
    assert not read_checkpoint(target)["gad_lightning"]["decisions"]


@pytest.mark.parametrize(
    ("words", "kind", "what"),
    [
        (["--scale=5"], SettingError, r"scale of the adapter must lie in \[0, 4\], got 5"),
        (["--scales=[0.5, -1]"], SettingError, r"must lie in \[0, 4\], got -1"),
        (["--output=a.ckpt"], SettingError, r"--output=a\.ckpt is a checkpoint to write, of no scale"),
        (["--scale=0.5", "--text=no.txt"], SettingError, "--scale=0.5 writes a checkpoint and measures nothing"),
        (["--text=no.txt"], MissingDataError, r"--text: there is no text file no\.txt"),
        (["--pairs=no.csv"], MissingDataError, r"no\.csv is not there"),
    ],
)
def test_what_cannot_be_is_said(words: list[str], kind: type[GadError], what: str, run: Path) -> None:
    with pytest.raises(kind, match=what):
        main(["forgetting", str(run), *words])


@pytest.mark.parametrize(
    ("was", "now", "what"),
    [("chunk: 32", "chunk: 16", "chunk is 32 in"), ("unknown_classes: null", "unknown_classes: 1", "trained with")],
)
def test_data_of_other_windows_or_classes_are_refused(was: str, now: str, what: str, run: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text((run / "config.yaml").read_text().replace(was, now))
    with pytest.raises(CheckpointError, match=what):
        main(["forgetting", str(tmp_path), f"--checkpoint={run / 'checkpoints' / 'best.ckpt'}"])


def test_a_folder_without_a_checkpoint_and_a_run_without_lora_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="has no checkpoint"):
        main(["forgetting", str(tmp_path)])
    (tmp_path / "run.yaml").write_text(CONFIG.replace(", lora: {r: 4}", ""))
    home = f"--trainer.default_root_dir={tmp_path}"
    main(["fit", "--config", str(tmp_path / "run.yaml"), home, "--trainer.max_epochs=1"])
    with pytest.raises(SettingError, match=r"was trained whole \(backbone\.lora is null\)"):
        main(["forgetting", str(next(tmp_path.rglob("config.yaml")).parent)])

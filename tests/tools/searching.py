"""A small run for the tests of index and search."""

from __future__ import annotations

from pathlib import Path

from gad_lightning.cli import main as command


def trained_run(folder: Path, *more: str) -> Path:
    """Train for one epoch on toy features, and return the folder of the run."""
    quiet = ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.accelerator=cpu"]
    parts = ["--model=gad_lightning.DiscriminativeClassifier", "--model.backbone=gad_lightning.TinyBackbone"]
    data = ["--data=gad_lightning.ToyActions", "--data.mode=one_pass", "--data.num_videos=12"]
    command(["fit", *parts, *more, *data, f"--trainer.default_root_dir={folder}", *quiet, "--trainer.max_epochs=1"])
    return folder / "ToyActions" / "DiscriminativeClassifier" / "version_0"

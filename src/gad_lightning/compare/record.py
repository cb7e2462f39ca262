"""What a compared run leaves beside its files: times, sizes, classes, commit and machine."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from gad_lightning import __version__
from gad_lightning.results.tables import read_json, write_json

Facts = dict[str, str | int | float]


class RunRecord(Callback):
    """Notes in a JSON file what the other files of a run do not say.

    Args:
        target: the file; what it has already is kept.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.began = 0.0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.began = time.perf_counter()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note what training took, validation included, and where it was."""
        sizes = {weight: weight.numel() for weight in pl_module.parameters()}
        facts: Facts = {
            "fit_seconds": round(time.perf_counter() - self.began, 2),
            "steps": trainer.global_step,
            "parameters": sum(sizes.values()),
            "trained_parameters": sum(size for weight, size in sizes.items() if weight.requires_grad),
        }
        self._note(trainer, {**facts, **surroundings()})

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.began = time.perf_counter()

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note what prediction took."""
        self._note(trainer, {"predict_seconds": round(time.perf_counter() - self.began, 3)})

    def _note(self, trainer: Trainer, facts: Facts) -> None:
        """Add to the file, in the first process."""
        if trainer.is_global_zero:
            known = read_json(self.target) if self.target.is_file() else {}
            write_json(self.target, {**known, **facts})


def surroundings() -> Facts:
    """Version, commit and machine of this process."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else _processor()
    return {
        "version": __version__,
        "commit": _commit(Path(__file__).resolve().parent.parent),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "hardware": f"{device}, {os.cpu_count()} cores",
    }


def _processor() -> str:
    """Name of the CPU."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _commit(folder: Path) -> str:
    """Short commit that a folder is at, with ``+`` if something in it was changed since; empty outside a repository."""

    def git(*words: str) -> str:
        """What git prints; nothing if it cannot answer."""
        try:
            done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--", ".") else "")

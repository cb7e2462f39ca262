"""Small runs of the command line, and what they leave."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

CONFIG = """
model:
  class_path: gad_lightning.GADClassifier
  init_args:
    context: gad_lightning.PreviousActions
    backbone: {class_path: gad_lightning.TinyBackbone, init_args: {hidden_size: 16, num_layers: 1}}
    optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.01}}
data: {class_path: gad_lightning.ToyActions, init_args: {num_videos: 4, short_memory: 8}}
trainer: {accelerator: cpu, max_epochs: 2, enable_progress_bar: false, enable_model_summary: false}
"""


def values_of(folder: Path, name: str) -> list[float]:
    """Values of a metric in the log of a run."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


def python(*args: str) -> subprocess.CompletedProcess[str]:
    """Run another interpreter."""
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, check=False)


OUTSIDE = '''
from lightning.pytorch import Callback
from gad_lightning import LinearHead
from gad_lightning.data.toy import ToyActions

class WideHead(LinearHead):
    """A head of another package."""

class MyVideos(ToyActions):
    """A data set of another package."""

class Faulty(Callback):
    """Has a fault."""

    def on_train_start(self, *args):
        1 / 0

class CtrlC(Callback):
    """Stands for a user who has seen enough."""

    def on_train_batch_start(self, *args):
        raise KeyboardInterrupt
'''

"""One pass against the paper's windows at equal training time, and how soon one pass is as good.

    python experiments/bench/modes.py experiments/kitchen/discriminative.yaml --seconds 60
    python experiments/bench/modes.py experiments/hapt/discriminative.yaml --seconds 120

Both modes train the classifier of that config for as long (whole epochs; validation is not counted), and the
checkpoint that is best on the validation split is tested. Results go to
``experiments/bench/results/modes_<data>_<classifier>_<seed>.json``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import store  # isort: skip  # sets how threads wait, before torch is there
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
SCORE = "segment_f1"
NEVER = 10**9


class Clock(Callback):
    """Times training steps alone; validates ``validations`` times on the way.

    Args:
        output: gets a JSON line for each validation: seconds trained, epochs, and the score.
        seconds: of training, about.
        validations: how often, at ends of epochs.
    """

    def __init__(self, output: str, seconds: float, validations: int = 10) -> None:
        self.output, self.seconds, self.every = Path(output), seconds, seconds / validations
        self.trained, self.validated, self.started = 0.0, 0.0, 0.0

    def on_train_batch_start(self, *unused: Any) -> None:
        """Start."""
        self.started = time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, *unused: Any) -> None:
        """Stop; this epoch ends in a validation if it is time for one."""
        self.trained += time.perf_counter() - self.started
        due = self.trained >= self.validated + self.every or trainer.current_epoch == trainer.max_epochs - 1
        trainer.check_val_every_n_epoch = 1 if due else NEVER

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the score."""
        if trainer.sanity_checking:
            return
        self.validated = self.trained
        line = {"seconds": self.trained, "epochs": trainer.current_epoch + 1}
        with self.output.open("a") as file:
            file.write(json.dumps({**line, SCORE: float(trainer.callback_metrics[f"val/{SCORE}"])}) + "\n")


def gad_lightning(command: str, *options: str) -> None:
    """Run a command of the library, which finds the clock."""
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    quiet = ("--trainer.enable_progress_bar=false", "--trainer.num_sanity_val_steps=0")
    whole = [sys.executable, "-m", "gad_lightning", command, *options, *quiet]
    subprocess.run(whole, check=True, env={**os.environ, "PYTHONPATH": path})


def fit(run: list[str], root: Path, epochs: int, seconds: float) -> list[dict[str, Any]]:
    """Train some epochs; the validations on the way."""
    root.mkdir(parents=True)
    curve = root / "curve.jsonl"
    clock = {"class_path": "modes.Clock", "init_args": {"output": str(curve), "seconds": seconds}}
    callbacks = f"--trainer.callbacks={json.dumps([clock])}"
    gad_lightning("fit", *run, callbacks, f"--trainer.max_epochs={epochs}", f"--trainer.default_root_dir={root}")
    return [json.loads(line) for line in curve.read_text().splitlines()]


def train(run: list[str], mode: str, seconds: float, folder: Path) -> dict[str, Any]:
    """Fit and test one mode: scores on the test split, and the curve of the validation score.

    The learning rate falls over the whole run, so the number of epochs must be known: a short run first tells it.
    """
    run = [*run, f"--data.mode={mode}"]
    tried = fit(run, folder / mode / "trial", 3, seconds)[-1]
    epochs = max(1, round(seconds * tried["epochs"] / tried["seconds"]))
    curve = fit(run, folder / mode / "fit", epochs, seconds)
    best = next((folder / mode / "fit").rglob("best.ckpt"))
    gad_lightning("test", *run, f"--ckpt_path={best}", f"--trainer.default_root_dir={folder / mode / 'test'}")
    with next((folder / mode / "test").rglob("metrics.csv")).open(newline="") as file:
        scores = {name: float(value) for name, value in list(csv.DictReader(file))[-1].items() if "test/" in name}
    return {"test": scores, "validation": curve}


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=HERE / "results")
    given, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        modes = ("window", "one_pass")
        run = [f"--config={given.config}", f"--seed_everything={given.seed}", f"--data.seed={given.seed}", *more]
        results = {mode: train(run, mode, given.seconds, Path(folder)) for mode in modes}
    goal = results["window"]["validation"][-1][SCORE]
    reached = next((point["seconds"] for point in results["one_pass"]["validation"] if point[SCORE] >= goal), None)
    table = Table("mode", "test seg. F1", "test Top-1", "last val seg. F1", "after s")
    for mode, found in results.items():
        last = found["validation"][-1]
        scores = (found["test"][f"test/{SCORE}"], found["test"]["test/top1"], last[SCORE])
        table.add_row(mode, *(f"{score:.3f}" for score in scores), f"{last['seconds']:.0f}")
    Console().print(table)
    Console().print(f"One pass reaches the last validation score of window mode after {reached or 'more than all'} s.")
    name = f"modes_{given.config.parent.name}_{given.config.stem}_{given.seed}"
    settings = {"config": given.config.name, "seconds": given.seconds, "seed": given.seed, "more": more}
    print(store(name, {"settings": settings, "seconds_to_windows_score": reached, **results}, given.output))


if __name__ == "__main__":
    main()

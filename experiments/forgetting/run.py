"""Trains with and without RememberText, measures what is forgotten, and stores a row a run; what is there is kept.

    python experiments/forgetting/run.py --config CONFIG --text TEXT --home runs/forgetting --seeds 0 1 2 --every 1 8
    python experiments/forgetting/run.py --home runs/forgetting --table

CONFIG is a config of a run whose backbone has LoRA. Its validation split chooses checkpoints and gives the frontier;
the test split is scored once a run, at scale 1.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning import Trainer

from gad_lightning.atomic import make_folder
from gad_lightning.classifiers.base import Classifier
from gad_lightning.cli import main as gad_lightning
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.results.forgetting import read_forgetting
from gad_lightning.results.run_folder import chosen_checkpoint
from gad_lightning.results.tables import write_json
from gad_lightning.tools.run_data import data_as_trained

ROW = "row.json"
COLUMNS = ("kl_neutral", "kl_prompts", "pairs", "questions", "perplexity_neutral")


def arms(every: Sequence[int], text: Path | None) -> dict[str, list[str]]:
    """Options of each arm."""
    found: dict[str, list[str]] = {"none": []}
    for number in every:
        part = {"class_path": "gad_lightning.RememberText", "init_args": {"file": str(text), "every": number}}
        found[f"every{number}"] = [f"--model.objectives={json.dumps([part])}"]
    return found


def run_in(home: Path) -> Path | None:
    """The run that was trained below a folder, if it was finished."""
    found = sorted(home.glob("*/*/version_*/checkpoints/best.ckpt"))
    return found[0].parents[1] if found and (home / "done").is_file() else None


def train(home: Path, config: Path, seed: int, words: Sequence[str]) -> Path:
    """Train, unless it was done before."""
    if (run := run_in(home)) is None:
        make_folder(home)
        more = [f"--seed_everything={seed}", f"--trainer.default_root_dir={home}"]
        gad_lightning(["fit", f"--config={config}", *more, *words])
        (home / "done").touch()
        run = run_in(home)
    assert run is not None, "just trained"
    return run


def measure(run: Path, scales: str) -> dict[str, Any]:
    """Sweep the adapter, and score the test split at scale 1."""
    gad_lightning(["forgetting", str(run), f"--scales={scales}"])
    found, checkpoint = read_forgetting(run), chosen_checkpoint(run)
    assert found is not None, "just measured"
    assert checkpoint is not None, "it was measured"
    classifier = Classifier.load_from_checkpoint(checkpoint)
    data = data_as_trained(checkpoint, run, ALLOWED_PACKAGES)
    trainer = Trainer(devices=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    test = trainer.test(classifier, data, verbose=False)[0]
    rows = [{"scale": row.scale, **row.metrics, **row.probes} for row in found.rows]
    return {"rows": rows, "metric": found.metric, "knee": found.knee(), "test": test}


def table(home: Path) -> str:
    """Means over the seeds at scale 1, an arm a row."""
    by_arm: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(home.glob(f"*/{ROW}")):
        by_arm.setdefault(path.parent.name.rpartition("-")[0], []).append(json.loads(path.read_text(encoding="utf-8")))
    lines = [f"| arm | seeds | validation | test | {' | '.join(COLUMNS)} |", "| --- " * (4 + len(COLUMNS)) + "|"]
    for arm, rows in by_arm.items():
        at_1 = [next(row for row in one["rows"] if row["scale"] == 1) for one in rows]
        task = [(now[one["metric"]], one["test"][f"test/{one['metric']}"]) for now, one in zip(at_1, rows, strict=True)]
        cells = [*np.mean(task, axis=0), *(np.mean([row.get(name, np.nan) for row in at_1]) for name in COLUMNS)]
        lines.append(f"| {arm} | {len(rows)} | " + " | ".join(f"{cell:.4f}" for cell in cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run what is asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--text", type=Path, help="what RememberText reads")
    parser.add_argument("--home", type=Path, default=Path("runs/forgetting"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--every", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--arms", nargs="+", help="some of them, such as none every8")
    parser.add_argument("--scales", default="[0.25, 0.5, 0.75, 1.5]")
    parser.add_argument("--table", action="store_true", help="only print the table")
    asked, words = parser.parse_known_args()
    for seed in [] if asked.table else asked.seeds:
        for arm, more in arms(asked.every, asked.text).items():
            home = asked.home / f"{arm}-{seed}"
            if (asked.arms and arm not in asked.arms) or (home / ROW).is_file():
                continue
            write_json(home / ROW, measure(train(home, asked.config, seed, [*words, *more]), asked.scales))
    print(table(asked.home))


if __name__ == "__main__":
    main()

"""Trains and tests the three classifiers on HAPT, some seeds each; one line of JSON a run.

    python experiments/hapt/prepare.py ../shared/data/real/hapt runs/hapt
    python experiments/hapt/run.py --output runs/hapt.jsonl

Runs that ``--output`` has already are not done again.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
KINDS = ("discriminative", "gad", "generative")


def run(kind: str, seed: int, folder: Path, more: list[str]) -> dict[str, object]:
    """Fit, then test the checkpoint that validation chose, through the command line."""
    where = [f"--config={HERE / kind}.yaml", f"--seed_everything={seed}", f"--data.seed={seed}", *more]
    command = [sys.executable, "-m", "gad_lightning"]
    quiet = ["--trainer.enable_progress_bar=false"]
    start = time.perf_counter()
    subprocess.run([*command, "fit", *where, *quiet, f"--trainer.default_root_dir={folder / 'fit'}"], check=True)
    seconds = time.perf_counter() - start
    found = [path for path in (folder / "fit").rglob("*.ckpt") if path.name != "last.ckpt"]
    best = max(found, key=lambda path: path.stat().st_mtime)
    testing = [f"--trainer.default_root_dir={folder / 'test'}", f"--ckpt_path={best}"]
    subprocess.run([*command, "test", *where, *quiet, *testing], check=True)
    with next((folder / "test").rglob("metrics.csv")).open() as file:
        scores = {name: float(value) for name, value in list(csv.DictReader(file))[-1].items() if "test/" in name}
    return {"kind": kind, "seed": seed, "fit_seconds": round(seconds), **scores}


def main() -> None:
    """Do what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="+", default=KINDS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=Path("runs/hapt.jsonl"))
    given, more = parser.parse_known_args()
    given.output.parent.mkdir(parents=True, exist_ok=True)
    lines = given.output.read_text().splitlines() if given.output.is_file() else []
    done = {(row["kind"], row["seed"]) for row in map(json.loads, lines)}
    for seed in given.seeds:
        for kind in given.kinds:
            if (kind, seed) not in done:
                row = run(kind, seed, given.output.with_suffix("") / f"{kind}-{seed}", more)
                with given.output.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()

"""Trains what is missing, measures it, and stores a row a run; what is stored is not run again.

    python experiments/structure/run.py ikea choose      # delta and weights, on the validation split of one seed
    python experiments/structure/run.py ikea test        # all arms, with what was chosen
    python experiments/structure/run.py ikea test --arms none mean --seeds 0 1 --most 3
    python experiments/structure/run.py ikea test --arms gen texts

Data: ``ikea`` and ``jigsaws`` of ``--home`` (made by ``prepare.py``), and ``kitchen``, which needs nothing. Rows lie in
``--rows``, one JSON file each; ``tables.py`` writes them down.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
from arms import DATA, FACTORS, WEIGHTS, Arm, trained
from measures import measured
from names import ARMS, WRITING

from gad_lightning.atomic import make_folder
from gad_lightning.compare.record import surroundings
from gad_lightning.results.tables import write_json

HERE = Path(__file__).resolve().parent
CHOSEN_ON = {"ikea": "ikea", "jigsaws": "ikea", "kitchen": "kitchen"}
"""Data whose validation split a data set's settings come from."""
CHOOSING = 100
"""Seed of the runs that delta and weights are chosen by."""
MOST_LOST = 0.01
"""Top-1 that a choice may cost on validation."""
Row = dict[str, Any]


def candidates() -> list[Arm]:
    """What is tried on validation."""
    tried = [Arm("alignment", weight, factor) for factor in FACTORS for weight in WEIGHTS]
    return [Arm("none"), *(Arm("mean", weight) for weight in WEIGHTS), *tried]


def target_of(rows: Path, data: str, split: str, arm: Arm, seed: int) -> Path:
    """File of a row."""
    return rows / f"{data}-{split}-{arm.name}-{arm.factor:g}-{arm.weight:g}-{seed}.json"


def score(row: Row, measure: str) -> float:
    """Hits over questions of all videos."""
    hits, asked = np.array(row["counts"][measure])[:, :2].sum(0)
    return float(hits / asked)


def chosen(rows: Path, data: str, name: str) -> Arm:
    """The setting with the best order among the same bag on validation, of those that cost no point of Top-1."""

    def row_of(arm: Arm) -> Row:
        """Row of a run that was made to choose."""
        path = target_of(rows, CHOSEN_ON[data], "val", arm, CHOOSING)
        found: Row = json.loads(path.read_text(encoding="utf-8"))
        return found

    least = score(row_of(Arm("none")), "top1") - MOST_LOST
    own = {arm: row_of(arm) for arm in candidates() if arm.name == name}
    kept = [arm for arm, row in own.items() if score(row, "top1") >= least] or list(own)
    return max(kept, key=lambda arm: score(own[arm], "bag@1"))


def arms_of(rows: Path, data: str, names: Sequence[str]) -> Iterator[Arm]:
    """The arms with their chosen settings; controls have those of the alignment kernel."""
    for name in names:
        if name in ("none", *WRITING):
            yield Arm(name)
        elif name == "mean":
            yield chosen(rows, data, "mean")
        else:
            yield chosen(rows, data, "alignment")._replace(name=name)


def run(home: Path, rows: Path, data: str, split: str, arm: Arm, seed: int) -> None:
    """Train, measure, store."""
    began = time.perf_counter()
    of = DATA[data]
    module = of.make(home, seed)
    with tempfile.TemporaryDirectory() as folder:
        classifier = trained(of, module, arm, seed, Path(folder))
        fitted = time.perf_counter()
        counts, about = measured(classifier, module, "val" if split == "val" else "test", Path(folder))
    times = {"fit_seconds": round(fitted - began, 1), "measure_seconds": round(time.perf_counter() - fitted, 1)}
    facts = {"data": data, "split": split, "arm": arm._asdict(), "seed": seed, **about, **times}
    made = {**facts, **surroundings(), "lightning": lightning.__version__, "counts": counts}
    write_json(target_of(rows, data, split, arm, seed), made)
    shown = {name: round(score(made, name), 3) for name in counts if "segment" not in name}
    print(f"{data} {arm} seed {seed}: {shown}", flush=True)


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=list(DATA))
    parser.add_argument("what", choices=("choose", "test"))
    parser.add_argument("--home", type=Path, default=Path("runs/structure"), help="folder of the prepared data")
    parser.add_argument("--rows", type=Path, default=Path("runs/structure/rows"), help="folder of the rows")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=(*ARMS, *WRITING), help="all but gen, texts")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3])
    parser.add_argument("--most", type=int, help="runs after which it ends; exits with 3 if some are left")
    given = parser.parse_args()
    make_folder(given.rows)
    if given.what == "choose":
        jobs = [("val", arm, CHOOSING) for arm in candidates()]
    else:
        arms = list(arms_of(given.rows, given.data, given.arms))
        jobs = [("test", arm, seed) for seed in given.seeds for arm in arms]
    missing = [job for job in jobs if not target_of(given.rows, given.data, *job).is_file()]
    for split, arm, seed in missing[: given.most]:
        run(given.home, given.rows, given.data, split, arm, seed)
    sys.exit(3 if given.most is not None and len(missing) > given.most else 0)


if __name__ == "__main__":
    main()

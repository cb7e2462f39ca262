"""Trains, calibrates on validation and measures on test: false-alarm rates that are stated, and those that come.

    python experiments/hapt/prepare.py ../shared/data/real/hapt runs/hapt
    python experiments/ikea_asm/prepare.py SOURCE runs/ikea_asm --fps 2.5
    python experiments/jigsaws/prepare.py SOURCE runs/jigsaws --fps 5
    python experiments/decisions/run.py                     # all four, the kitchen is rendered
    python experiments/decisions/run.py --data jigsaws --source runs/jigsaws
    python experiments/decisions/run.py --no-runs           # picture and README.md alone

Run it at the root of the repository. Runs lie in ``runs/decisions``; what is finished is not run again. Exits with
status 1 if a run failed.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from page import write_page
from rates import drawn_anew, parts_of, row_of

from gad_lightning.atomic import make_folder
from gad_lightning.compare.runs import Run, Variant, check_runs, run_all
from gad_lightning.csv_rows import write_rows
from gad_lightning.data.tables import read_videos
from gad_lightning.data.toy import KitchenVideos
from gad_lightning.errors import GadError
from gad_lightning.results.tables import read_json, write_json

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SPLITS = 5
VIDEOS = 480
"""Of the kitchen."""


class Plan(NamedTuple):
    """What ``decisions.toml`` says of a data set."""

    name: str
    title: str
    order: int  # on the page
    what: str  # is split
    config: str
    source: Path  # prepared folder
    folds: bool  # whether each split is trained for itself; else one run's validation and test are drawn anew
    test: int  # groups
    val: int
    rates: tuple[float, ...]  # false alarms an hour that are stated
    stated: float  # of them, that of the table
    error: float  # of label sets
    overrides: tuple[str, ...]

    def run(self, split: int, home: Path) -> Run:
        """The training of a split, whose number is its seed too."""
        root = f"data.root={home / 'splits' / f'{self.name}-{split}'}"
        return Run(
            Variant(self.name, ROOT / self.config, (*self.overrides, root)), split, home / self.name / str(split)
        )


def read_plans(path: Path = HERE / "decisions.toml") -> dict[str, Plan]:
    """All data sets, by name."""
    given: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        name: Plan(name, order=order, overrides=tuple(about.pop("with")), **{**about, "source": Path(about["source"])})
        for order, (name, about) in enumerate(given.items())
    }


def split_groups(groups: Sequence[str], plan: Plan, split: int) -> dict[str, str]:
    """The split of every group: their order is drawn once and turned for every split."""
    order = np.roll(np.random.default_rng(0).permutation(sorted(groups)), -split * plan.test)
    kinds = ["test"] * plan.test + ["val"] * plan.val
    return {str(group): kinds[place] if place < len(kinds) else "train" for place, group in enumerate(order)}


def write_split(plan: Plan, split: int, root: Path) -> None:
    """A folder for OwnVideos with another ``videos.csv`` beside what the source has."""
    videos = read_videos(plan.source / "videos.csv")
    split_of = split_groups(sorted({row.group or name for name, row in videos.items()}), plan, split)
    make_folder(root)
    for path in plan.source.iterdir():
        if path.name != "videos.csv" and not (root / path.name).exists():
            (root / path.name).symlink_to(path.resolve())
    rows = [(name, split_of[row.group or name], row.goal, row.group) for name, row in videos.items()]
    write_rows(root / "videos.csv", ("video", "split", "goal", "group"), rows)


def answer(plan: Plan, given: argparse.Namespace) -> bool:
    """Do what is missing of a data set; whether every run went well."""
    if plan.name == "kitchen":
        KitchenVideos(plan.source, num_videos=VIDEOS).render()
    trained = given.splits if plan.folds else 1
    for split in range(trained):
        write_split(plan, split, given.home / "splits" / f"{plan.name}-{split}")
    runs = [plan.run(split, given.home) for split in range(trained)]
    check_runs(runs, "refuse")
    failed = run_all(runs, 1, 1, lambda line: print(line, flush=True))
    target = make_folder(given.target / "results") / f"{plan.name}.json"
    rows = {row["split"]: row for row in (read_json(target)["rows"] if target.is_file() else [])}
    for split in range(given.splits):
        run = runs[split if plan.folds else 0]
        if run.finished and run not in failed and (split not in rows or given.again):
            parts = parts_of(run)
            if split and not plan.folds:
                parts = drawn_anew(parts, np.random.default_rng(split))
            rows[split] = row_of(run, split, plan.rates, plan.error, parts)
            print(f"{plan.name}, split {split}: measured", flush=True)
            about = {**plan._asdict(), "source": plan.source.name, "rows": [rows[split] for split in sorted(rows)]}
            write_json(target, about)
    return not failed


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    plans = read_plans()
    parser.add_argument("--data", choices=list(plans), help="one data set; all if left out")
    parser.add_argument("--source", type=Path, help="its prepared folder; as decisions.toml says if left out")
    parser.add_argument("--splits", type=int, default=SPLITS)
    parser.add_argument("--home", type=Path, default=Path("runs/decisions"), help="folder of the runs")
    parser.add_argument("--target", type=Path, default=HERE, help="folder of results, picture and README.md")
    parser.add_argument("--again", action="store_true", help="measure finished runs again")
    parser.add_argument("--no-runs", action="store_true", help="write down what is stored")
    given = parser.parse_args()
    if given.source and not given.data:
        parser.error("--source is the folder of one data set: name that by --data")
    fine = True
    for plan in plans.values():
        if not given.no_runs and given.data in (None, plan.name):
            try:
                fine &= answer(plan._replace(source=given.source or plan.source), given)
            except GadError as error:
                sys.exit(f"{plan.name}: {error}\n(its folder is made by a prepare.py, or named by --source: README.md)")
    write_page(given.target)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()

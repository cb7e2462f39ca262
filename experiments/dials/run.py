"""Turns the dials of the simulated videos, stores the curves, and draws and writes them down.

    python experiments/hapt/prepare.py ../shared/data/real/hapt runs/hapt     # the timelines, once
    python experiments/dials/run.py
    python experiments/dials/run.py --no-runs                                 # picture and README.md alone

Run it at the root of the repository. Runs lie in ``runs/dials``; what is finished is not run again. Exits with status 1
if a run failed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from curves import HERE, read_plan, result_of
from document import write_document

from gad_lightning.atomic import make_folder
from gad_lightning.compare.runs import check_runs, run_all
from gad_lightning.results.tables import write_json


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, help="runs of each variant; as dials.toml says if left out")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once")
    parser.add_argument("--threads", type=int, default=1, help="of each run")
    parser.add_argument("--home", type=Path, default=Path("runs/dials"), help="folder of the runs")
    parser.add_argument("--target", type=Path, default=HERE, help="folder of results, picture and README.md")
    parser.add_argument("--dials", nargs="+", help="which to turn; all if left out")
    parser.add_argument("--no-runs", action="store_true", help="write down what is stored")
    given = parser.parse_args()
    failed = []
    if not given.no_runs:
        plan = read_plan()
        runs = plan.runs(given.home, given.seeds or plan.seeds)
        check_runs(runs, "refuse")
        some = [run for run in runs if run.variant in plan.variants_over(given.dials or list(plan.rest))]
        failed = run_all(some, given.jobs, given.threads, lambda line: print(line, flush=True))
        write_json(make_folder(given.target / "results") / "dials.json", result_of(plan, runs, failed))
    write_document(given.target)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

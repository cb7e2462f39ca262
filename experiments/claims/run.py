"""Runs what a claim needs, stores the comparison, and writes README.md from all that is stored.

    python experiments/claims/run.py pilot --data kitchen       # how many seeds does it take?
    python experiments/claims/run.py 1 --data kitchen           # one claim
    python experiments/claims/run.py all --data kitchen --seeds 10 --jobs 4
    python experiments/claims/run.py baselines --data kitchen   # networks without language model, after the claims
    python experiments/claims/latency.py --data kitchen         # milliseconds a frame, on a quiet machine
    python experiments/claims/run.py tables                     # README.md alone

Run it at the root of the repository. Runs are shared by the claims and lie in ``runs/claims``; what is finished is not
run again. Exits with status 1 if a run failed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import baselines
from claims import METRICS, RESULTS, RUNS, Claim, Data, Part, names_in, read_claims, read_data, runs_of
from records import cells_of, facts_of, store_counts
from tables import write_readme

from gad_lightning.atomic import make_folder
from gad_lightning.compare.runs import check_runs, run_all
from gad_lightning.compare.tables import Scored, by_variant, check_same_test, score_run
from gad_lightning.results.tables import write_json

PILOT = Claim(
    0,
    "How many seeds does a half-width of half a point take?",
    "",
    (),
    (
        Part("more", "disc", "gen"),
        Part("more", "gad", "disc"),
    ),
)


def answer(claim: Claim, data: Data, given: argparse.Namespace) -> bool:
    """Run and compare one claim on one data set; whether every run went well."""
    parts = claim.parts_on(data.name)
    names = names_in(parts)
    seeds = given.seeds or data.seeds
    runs = runs_of(names, data, seeds, given.home, tuple(given.override))
    check_runs(runs, "refuse")
    failed = run_all(runs, given.jobs, given.threads, lambda line: print(line, flush=True))
    scored = [score_run(run, claim.metrics) for run in runs if run.finished and run not in failed]
    if scored:
        for fold in {each.run.seed for each in scored} if data.folds else {None}:
            check_same_test([each for each in scored if fold in (None, each.run.seed)])
        label = "pilot" if claim.number == 0 else f"{claim.number:02d}"
        target = make_folder(given.results / data.name) / f"{label}.json"
        found = by_variant(scored)
        write_json(target, result_of(claim, data, found, [f"{r.variant.name} {r.seed}" for r in failed]))
        store_counts(target.with_name(f"{label}-counts.npz"), found, claim.metrics, data.folds)
    return not failed


def result_of(claim: Claim, data: Data, runs: dict[str, dict[int, Scored]], failed: list[str]) -> dict[str, Any]:
    """All that the tables say of a claim, as JSON."""
    return {
        "claim": claim.number,
        "data": data.name,
        "failed": failed,
        **facts_of(runs, claim.metrics),
        "parts": [
            {**part._asdict(), "metrics": compared(part, claim.metrics, runs, data.folds)}
            for part in claim.parts_on(data.name)
            if part.first in runs and part.second in runs
        ],
    }


def compared(
    part: Part, metrics: tuple[str, ...], runs: dict[str, dict[int, Scored]], folds: bool = False
) -> dict[str, Any]:
    """The paired difference of a part in every metric."""
    found = {metric: cells_of(runs[part.first], runs[part.second], metric, part.margin, folds) for metric in metrics}
    return {metric: cells for metric, cells in found.items() if cells is not None}


def say_pilot(results: Path, data: Data) -> None:
    """Print what the pilot found."""
    found = json.loads((results / data.name / "pilot.json").read_text(encoding="utf-8"))
    for part in found["parts"]:
        for metric, cells in part["metrics"].items():
            half = (cells["high"] - cells["low"]) / 2
            print(
                f"{part['first']} - {part['second']}, {metric}: half-width {half:.3f} with {cells['num_seeds']} seeds; "
                f"half a point takes {cells['seeds_needed']} seeds, and the test videos alone leave "
                f"{cells['half_width_of_videos']:.3f}"
            )


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("claims", nargs="+", help="numbers, 'all', 'pilot', 'baselines' or 'tables'")
    parser.add_argument("--data", default="kitchen", choices=list(read_data()))
    parser.add_argument("--seeds", type=int, help="runs of each variant; as data.toml says if left out")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once")
    parser.add_argument("--threads", type=int, default=1, help="of each run")
    parser.add_argument("--home", type=Path, default=RUNS, help="folder of the runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of what is stored")
    parser.add_argument("--override", action="append", default=[], help="KEY=VALUE for every run, to try it small")
    given = parser.parse_args()
    claims, data, fine = read_claims(), read_data()[given.data], True
    numbers = sorted(claims) if "all" in given.claims else [int(word) for word in given.claims if word.isdigit()]
    if "pilot" in given.claims:
        fine &= answer(PILOT._replace(metrics=METRICS), data, given)
        say_pilot(given.results, data)
    for number in numbers:
        claim = claims[number]
        if claim.command or claim.missing or data.name not in claim.on:
            print(f"claim {number} is not run on {data.name}: {claim.missing or claim.command or 'not planned'}")
            continue
        print(f"claim {number}: {claim.question}")
        fine &= answer(claim, data, given)
    if "baselines" in given.claims:
        baselines.answer(data, given)
    write_readme(given.results)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()

"""Runs the baselines of ``experiments/baselines`` on the data of the claims, and stores their scores.

They see features, windows, training videos and test frames of the variants, have the same seeds, keep the checkpoint
that is best on the same validation videos, and are scored by the same functions. Their settings are those of their
scripts on every data set.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import time
import warnings
from pathlib import Path

import torch
from claims import MARGIN, METRICS, ROOT, Data, runs_of, variant_on
from records import BASELINES, Stored, baseline_rows, best, cells_of, facts_of, stored, variant_rows

from gad_lightning.atomic import make_folder
from gad_lightning.compare.record import surroundings
from gad_lightning.compare.runs import JOB, RESULT, Run, Variant, check_runs
from gad_lightning.compare.tables import Scored, by_variant, check_same_test, score_run
from gad_lightning.results.standard import ERROR_DIVERSITY
from gad_lightning.results.tables import write_json

sys.path.append(str(ROOT / "experiments" / "baselines"))  # scripts find what they share beside them
from baseline import Baseline, data_of, open_data, run

KINDS = {"logistic": "LogisticRegression", "gru": "CausalGRU", "transformer": "CausalTransformer"}
"""Class of each baseline, in the script of its name."""
STEPS = 1600
"""Of 64 queries: about the 100,000 that Disc is asked in its training on each of the three data sets. The 600 of the
scripts are too few: on the kitchen's validation videos the GRU's segment-F1 was 0.88 with them and 0.93 with 1800."""
CHECKS = 4
"""Checkpoints that validation chooses from."""
REFERENCE = "disc"
"""The variant whose data they see."""


def kind_of(name: str) -> type[Baseline]:
    """The class of a baseline."""
    kind: type[Baseline] = getattr(importlib.import_module(name), KINDS[name])
    return kind


def variants_on(data: Data, more: tuple[str, ...] = ()) -> list[Variant]:
    """The baselines as variants, whose overrides are those of the data and what else decides what comes out."""
    reference = variant_on(REFERENCE, data, more)
    of_data = [text for text in reference.overrides if text.split("=")[0].split(".")[0] == "data"]
    window = data_of(reference.config, {}, of_data).windows.frames
    steps = next((text.split("=")[1] for text in reference.overrides if text.startswith("trainer.max_steps=")), STEPS)
    return [
        Variant(name, reference.config, (*of_data, f"baseline={name}", f"window={window}", f"steps={steps}"))
        for name in KINDS
    ]


def settings_of(variant: Variant) -> tuple[tuple[str, ...], int, int]:
    """Overrides of the data, window and steps of a variant made here."""
    *of_data, _, window, steps = variant.overrides
    return tuple(of_data), int(window.split("=")[1]), int(steps.split("=")[1])


def run_one(one: Run, threads: int) -> None:
    """Train, test, and leave what a variant's run leaves; the result comes last."""
    overrides, window, steps = settings_of(one.variant)
    torch.set_num_threads(threads)
    write_json(make_folder(one.home) / JOB, one.asked)
    data = open_data(None, one.variant.config, window, one.seed, overrides)
    began = time.perf_counter()
    made = run(kind_of(one.variant.name), data, one.seed, steps, one.home / "predictions", max(1, steps // CHECKS))
    facts = {"parameters": made["parameters"], "steps": steps, "seconds": round(time.perf_counter() - began, 1)}
    write_json(one.home / RESULT, {**facts, **surroundings()})


def answer(data: Data, given: argparse.Namespace) -> None:
    """Run the baselines on one data set, compare them with the best variants, and store all that."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    home, more = given.home / f"{data.name}-baselines", tuple(given.override)
    variants = variants_on(data, more)
    runs = [Run(v, seed, home / v.folder / str(seed)) for seed in range(given.seeds or data.seeds) for v in variants]
    check_runs(runs, "refuse")
    for one in runs:
        if not one.finished:
            run_one(one, given.threads)
            print(f"{one.variant.name}, seed {one.seed}: finished", flush=True)
    metrics = (*METRICS, ERROR_DIVERSITY.name)
    others = [one for one in runs_of([REFERENCE], data, 1, given.home) if one.finished]
    check_same_test([score_run(one, ()) for one in (*runs[:1], *others)])
    found = by_variant(score_run(one, metrics) for one in runs)
    result = {"data": data.name, **facts_of(found, metrics), "window": settings_of(variants[0])[1]}
    result["steps"] = {name: next(iter(seeds.values())).result["steps"] for name, seeds in found.items()}
    result["against"] = against(result, found, data, given.home, given.results)
    write_json(make_folder(given.results / data.name) / BASELINES, result)


def against(
    result: Stored, found: dict[str, dict[int, Scored]], data: Data, home: Path, results: Path
) -> dict[str, Stored]:
    """Per metric the best baseline's paired difference to the best stored variant, where its runs are at hand.

    Raises:
        DataError: if they were not tested on the same frames.
    """
    differences: dict[str, Stored] = {}
    variants = variant_rows(stored(data.name, results).values())
    for metric in METRICS if variants else ():
        ours, theirs = best(baseline_rows(result), metric), best(variants, metric)
        seeds = max(map(len, found.values()))
        runs = [one for one in runs_of([theirs.name], data, seeds, home) if one.variant.name == theirs.name]
        scored = [score_run(one, METRICS) for one in runs if one.finished]
        check_same_test([*found[ours.name].values(), *scored])  # else the pairs would be of different videos
        cells = cells_of(found[ours.name], by_variant(scored).get(theirs.name, {}), metric, MARGIN)
        if cells is not None:
            differences[metric] = {"first": ours.name, "second": theirs.name, **cells}
    return differences

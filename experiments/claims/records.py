"""What is stored of compared runs, and what is read back of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from claims import METRICS

from gad_lightning.atomic import atomic_write
from gad_lightning.compare.statistics import FloatArray, Paired, difference_of
from gad_lightning.compare.tables import Scored, paired
from gad_lightning.results.standard import ERROR_DIVERSITY

Stored = dict[str, Any]
BASELINES, LATENCY = "baselines.json", "latency.json"
RESAMPLES = {"error_diversity": 200}
"""Its resamples cannot be vectorized."""


class Row(NamedTuple):
    """A variant or a baseline, as tables name it."""

    name: str
    title: str
    is_baseline: bool
    parameters: int
    scores: dict[str, list[float]]  # by metric, one a seed

    def mean(self, metric: str) -> float:
        """Mean over the seeds."""
        return sum(self.scores[metric]) / len(self.scores[metric])


def facts_of(runs: dict[str, dict[int, Scored]], metrics: Sequence[str]) -> Stored:
    """Where runs were made, how large they are, and their scores."""
    results = {name: [scored.result for scored in seeds.values()] for name, seeds in runs.items()}
    every = [result for found in results.values() for result in found]
    return {
        **{name: sorted({str(result[name]) for result in every}) for name in ("commit", "hardware", "threads")},
        "parameters": {name: found[0]["parameters"] for name, found in results.items()},
        "seeds": {name: sorted(seeds) for name, seeds in runs.items()},
        "scores": {
            name: {metric: [round(s.score(metric), 6) for s in seeds.values()] for metric in metrics}
            for name, seeds in runs.items()
        },
    }


def cells_of(
    first: dict[int, Scored], second: dict[int, Scored], metric: str, margin: float, folds: bool = False
) -> Stored | None:
    """The paired difference of two variants, rounded; None if they have no seed in common.

    Args:
        first: by seed.
        second: by seed.
        metric: of both.
        margin: least difference that matters.
        folds: whether seeds were tested on videos of their own.
    """
    made = _by_fold(first, second, metric) if folds else paired(first, second, metric, RESAMPLES.get(metric, 2000))
    if made is None:
        return None
    cells = difference_of(made, margin)._asdict()
    cells = {key: round(value, 6) if isinstance(value, float) else value for key, value in cells.items()}
    by_seed = [round(value, 6) for value in made.by_seed.tolist()]
    return {**cells, "mean_of_second": round(made.second, 6), "by_seed": by_seed}


def _by_fold(first: dict[int, Scored], second: dict[int, Scored], metric: str) -> Paired | None:
    """Folds as the units: how they differ has the seeds' part and the videos' in it, so that nothing is drawn."""
    shared = sorted(first.keys() & second.keys())
    if not shared:
        return None
    ours, theirs = (np.array([runs[fold].score(metric) for fold in shared]) for runs in (first, second))
    return Paired(ours - theirs, float(theirs.mean()), 0.0, sum(len(first[fold].units[metric]) for fold in shared))


def pair_of(result: Stored, part: Stored, metric: str, num_units: int | None = None) -> Paired:
    """What a stored comparison is made of; earlier ones have no differences by seed, but the scores of all seeds.

    Args:
        result: of a claim.
        part: of the result.
        metric: of the part.
        num_units: people or places of the test videos, where what is stored was drawn by video.
    """
    cell = part["metrics"][metric]
    units = num_units or cell["num_videos"]
    if "by_seed" in cell:
        return Paired(np.array(cell["by_seed"]), cell["mean_of_second"], cell["half_width_of_videos"], units)
    scores = []
    for name in (part["first"], part["second"]):
        by_seed = dict(zip(result["seeds"][name], result["scores"][name][metric], strict=True))
        scores.append([by_seed[seed] for seed in sorted(set(result["seeds"][part["first"]]) & by_seed.keys())])
    first, second = (np.array(each[: cell["num_seeds"]]) for each in scores)
    return Paired(first - second, float(second.mean()), cell["half_width_of_videos"], units)


def store_counts(target: Path, runs: dict[str, dict[int, Scored]], metrics: Sequence[str], folds: bool = False) -> None:
    """Write what every score is made of, per test unit, so that others can draw anew: one array a run and metric."""
    tables: dict[str, FloatArray] = {}
    for name, seeds in runs.items():
        for seed, scored in seeds.items():
            for metric in metrics:
                if metric != ERROR_DIVERSITY.name:  # C * C counts a video
                    tables[f"{name} {seed} {metric}"] = scored.counts[metric]
                    tables[f"units {seed}" if folds else "units"] = np.array(scored.units[metric])
    with atomic_write(target) as part, part.open("wb") as file:
        np.savez_compressed(file, **tables)


def stored(data: str, results: Path) -> dict[int, Stored]:
    """What is stored of the claims on a data set, by number; 0 is the pilot."""
    paths = [*sorted((results / data).glob("[0-9][0-9].json")), *(results / data).glob("pilot.json")]
    found = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    return {result["claim"]: result for result in found}


def read(path: Path) -> Stored:
    """Another stored file; empty if it is not there."""
    found: Stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def variant_rows(claims: Iterable[Stored]) -> list[Row]:
    """Every variant stored with all metrics, from the claim that has most seeds of it."""
    found: dict[str, Row] = {}
    for result in claims:
        for name, scores in result["scores"].items():
            row = Row(name, name, False, result["parameters"][name], scores)
            known = found.get(name)
            if set(METRICS) <= set(scores) and (known is None or seeds_of(known) < seeds_of(row)):
                found[name] = row
    return list(found.values())


def baseline_rows(result: Stored) -> list[Row]:
    """The baselines stored, if any."""
    return [
        Row(name, f"{TITLES[name]} (baseline)", True, result["parameters"][name], scores)
        for name, scores in result.get("scores", {}).items()
    ]


TITLES = {"logistic": "logistic regression", "gru": "causal GRU", "transformer": "causal transformer"}


def seeds_of(row: Row) -> int:
    """Seeds of a row."""
    return len(row.scores[METRICS[0]])


def best(rows: Iterable[Row], metric: str) -> Row:
    """The row of the highest mean; there must be one."""
    return max(rows, key=lambda row: row.mean(metric))

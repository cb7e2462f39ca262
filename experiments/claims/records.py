"""What is stored of compared runs, and what is read back of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from claims import METRICS

from gad_lightning.compare.tables import Scored, difference

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


def cells_of(first: dict[int, Scored], second: dict[int, Scored], metric: str, margin: float) -> Stored | None:
    """The paired difference of two variants, rounded; None if they have no seed in common."""
    made = difference(first, second, metric, margin=margin, resamples=RESAMPLES.get(metric, 2000))
    if made is None:
        return None
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in made._asdict().items()}


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

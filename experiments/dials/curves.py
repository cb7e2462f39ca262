"""Curves over the dials: which runs they take, and what is stored of them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gad_lightning.compare.runs import Run, Variant
from gad_lightning.compare.statistics import Difference, FloatArray, Paired, compare, difference_of
from gad_lightning.compare.tables import Scored, by_variant, check_same_test, paired, score_run

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
METRICS = ("segment_f1", "point_f1", "top1")
MARGIN = 0.01
"""Least difference that matters, as in the claims; what is stored of equivalence is for it."""
Dials = Mapping[str, float]


class Curve(NamedTuple):
    """The difference of two classifiers as one dial is turned; its control is the first position."""

    dial: str
    positions: tuple[float, ...]
    first: str
    second: str


class Plan(NamedTuple):
    """What ``dials.toml`` says."""

    seeds: int
    overrides: tuple[str, ...]  # of every run
    rest: Dials
    classifiers: dict[str, dict[str, Any]]
    curves: tuple[Curve, ...]

    def at(self, dial: str, position: float) -> Dials:
        """All dials, one of them turned."""
        return {**self.rest, dial: position}

    def variant(self, classifier: str, dials: Dials) -> Variant:
        """A classifier at some positions; curves that meet there share its runs, as they share its name."""
        made = self.classifiers[classifier]
        positions = tuple(f"data.{dial}={position:g}" for dial, position in dials.items())
        name = " ".join([classifier, *(f"{dial} {position:g}" for dial, position in dials.items())])
        return Variant(name, ROOT / made["config"], (*self.overrides, *positions, *made.get("with", ())))

    def variants(self, curve: Curve) -> list[Variant]:
        """Both classifiers at every position."""
        both = (curve.first, curve.second)
        return [self.variant(name, self.at(curve.dial, position)) for position in curve.positions for name in both]

    def variants_over(self, dials: Sequence[str]) -> list[Variant]:
        """All that the curves over some dials take."""
        return [variant for curve in self.curves if curve.dial in dials for variant in self.variants(curve)]

    def runs(self, home: Path, seeds: int) -> list[Run]:
        """A curve after the other and in it a seed after the other, so that what is finished is paired at any time."""
        order = [(v, seed) for curve in self.curves for seed in range(seeds) for v in self.variants(curve)]
        return [Run(variant, seed, home / variant.folder / str(seed)) for variant, seed in dict.fromkeys(order)]


def read_plan(path: Path = HERE / "dials.toml") -> Plan:
    """Read what is to be run; paths of configs are relative to the repository."""
    given: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    curves = tuple(Curve(**{**curve, "positions": tuple(curve["positions"])}) for curve in given["curves"])
    return Plan(given["seeds"], tuple(given["with"]), given["rest"], given["classifiers"], curves)


def result_of(plan: Plan, runs: Sequence[Run], failed: Sequence[Run]) -> dict[str, Any]:
    """All that the document says, as JSON: every point of every curve, and how far each curve rises."""
    found = by_variant(score_run(run, METRICS) for run in runs if run.finished and run not in failed)
    return {
        "with": list(plan.overrides),
        "rest": dict(plan.rest),
        "classifiers": plan.classifiers,
        "variants": len(found),
        "failed": [f"{run.variant.name}, seed {run.seed}" for run in failed],
        "curves": [curve_of(plan, curve, found) for curve in plan.curves],
    }


def curve_of(plan: Plan, curve: Curve, found: dict[str, dict[int, Scored]]) -> dict[str, Any]:
    """The points that both classifiers have been run at, and the change from the first of them to the last."""
    points, pairs = [], []
    for position in curve.positions:
        dials = plan.at(curve.dial, position)
        names = [plan.variant(classifier, dials).name for classifier in (curve.first, curve.second)]
        if all(name in found for name in names):
            pair = (found[names[0]], found[names[1]])
            points.append({"position": position, **point_of(curve, dials, pair)})
            pairs.append(pair)
    made: dict[str, Any] = {"dial": curve.dial, "first": curve.first, "second": curve.second}
    if len(points) < 2:  # not run: one point is that where another curve meets this one
        return {**made, "points": [], "change": {}}
    change = {metric: cells(change_of(pairs[0], pairs[-1], metric)) for metric in METRICS}
    return {**made, "points": points, "change": change}


def point_of(curve: Curve, dials: Dials, pair: tuple[dict[int, Scored], dict[int, Scored]]) -> dict[str, Any]:
    """Scores and paired differences of two classifiers, with where they come from."""
    seeds = sorted(set(pair[0]) & set(pair[1]))
    both = [runs[seed] for runs in pair for seed in seeds]
    check_same_test(both)
    facts = {name: sorted({str(scored.result[name]) for scored in both}) for name in ("commit", "hardware", "threads")}
    scores = {
        name: {metric: [round(runs[seed].score(metric), 6) for seed in seeds] for metric in METRICS}
        for name, runs in zip((curve.first, curve.second), pair, strict=True)
    }
    differences = {metric: cells(difference_of(known(paired(*pair, metric)), MARGIN)) for metric in METRICS}
    return {"dials": dict(dials), "seeds": seeds, **facts, "scores": scores, "difference": differences}


def change_of(
    start: tuple[dict[int, Scored], dict[int, Scored]], end: tuple[dict[int, Scored], dict[int, Scored]], metric: str
) -> Difference:
    """The difference at the end of a curve minus that at its start, over the seeds of all four.

    ``(a - b) - (c - d)`` is ``(a + d) - (b + c)``, so it is a paired difference of two sums. Every position has the
    same videos, cut in the same places, so that they are drawn together.
    """
    seeds = sorted(set.intersection(*(set(runs) for runs in (*start, *end))))
    (a, b), (c, d) = (
        [np.stack([runs[seed].counts[metric] for seed in seeds]) for runs in pair] for pair in (end, start)
    )
    value, width = start[0][seeds[0]].values[metric], a.shape[-1]

    def both(counts: FloatArray) -> FloatArray:
        summed: FloatArray = value(counts[..., :width]) + value(counts[..., width:])
        return summed

    return compare(np.concatenate([a, d], -1), np.concatenate([b, c], -1), both, margin=MARGIN)


def known(found: Paired | None) -> Paired:
    """A pair that is there."""
    assert found is not None, "there is a point only where both classifiers have been run"
    return found


def cells(found: Difference) -> dict[str, Any]:
    """A difference for JSON."""
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in found._asdict().items()}

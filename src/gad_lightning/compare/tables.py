"""Tables of a comparison: every run, mean and standard error of every variant, paired differences to the first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from gad_lightning.compare.open_set import figure_lines, figures_of, ranked_metrics
from gad_lightning.compare.runs import LOG, RESULT, Run
from gad_lightning.compare.scores import counts_of, grouped, metrics_named, value_of
from gad_lightning.compare.statistics import (
    Difference,
    FloatArray,
    Paired,
    Value,
    difference_of,
    margin_at,
    mean_and_error,
    pair,
    prior_of,
)
from gad_lightning.errors import DataError
from gad_lightning.escape import escape_markdown
from gad_lightning.results.predictions import TaskPredictions, read_predictions
from gad_lightning.results.rows import Row
from gad_lightning.results.run_folder import PREDICTIONS
from gad_lightning.results.standard import full_name
from gad_lightning.results.tables import read_json

RUN_COLUMNS = ("variant", "seed", "metric", "value")
DIFFERENCE_COLUMNS = ("variant", "reference", "metric", *Difference._fields)
Differences = dict[str, dict[str, Difference]]
"""By variant and metric."""
COUNT_COLUMNS = ("variant", "seed", "metric", "unit", "counts")
TIMES = ("fit_seconds", "predict_seconds", "frames_per_second")
"""Not the same in every run of the same seed."""


class Scored(NamedTuple):
    """A finished run and its counts."""

    run: Run
    result: dict[str, Any]  # as written by RunRecord
    counts: dict[str, FloatArray]  # (V, K) by metric, a row a unit; with several tasks by ``<task>_<metric>``
    values: dict[str, Value]  # from counts to a score, under the same names
    headings: dict[str, str]  # of columns, under the same names
    shares: frozenset[str]  # names of those of which 1 is best, so that the rest is a share of errors
    units: dict[str, tuple[str, ...]]  # videos, or people and places where several videos are of one
    predictions: dict[str, TaskPredictions]  # by task
    unknown: Mapping[str, float] = MappingProxyType({})  # figures of actions that are none of the classes

    def score(self, metric: str) -> float:
        """A score over all test videos."""
        return float(self.values[metric](self.counts[metric].sum(0)))

    @property
    def times(self) -> dict[str, float]:
        """Seconds, and frames a second of prediction."""
        fit, predict = self.result["fit_seconds"], self.result["predict_seconds"]
        frames = sum(len(found.frame) for found in self.predictions.values())
        return dict(zip(TIMES, (fit, predict, round(frames / max(predict, 1e-9), 1)), strict=True))


def score_run(run: Run, metrics: Sequence[str] | None = None) -> Scored:
    """Read the predictions of a finished run and count.

    Args:
        run: finished.
        metrics: names; the standard ones by default. Tasks that are asked once a clip have those that suit them.

    Raises:
        MissingDataError: if its predictions are gone.
        DataError: if a file is damaged.
    """
    about, found = read_predictions(run.home / PREDICTIONS)
    counts, values, headings, shares, units = {}, {}, {}, set(), {}
    unknown: dict[str, float] = {}
    for predictions in found:
        task, alone = predictions.task, len(about.tasks) == 1
        counted = [
            (metric.name, metric.heading, counts_of(predictions, metric, about.fps), value_of(metric, task))
            for metric in metrics_named(metrics, task)
        ]
        ranked = list(ranked_metrics(predictions))
        of_one = [metric.name for metric in metrics_named(metrics, task) if metric.is_share] + [
            one.name for one in ranked
        ]
        shares |= {full_name(name, task, len(about.tasks)) for name in of_one}
        for short, heading, by_video, value in [*counted, *ranked]:
            name = full_name(short, task, len(about.tasks))
            units[name], counts[name] = grouped(predictions.videos, about.groups, by_video)
            values[name], headings[name] = value, heading if alone else f"{task.name} {heading}"
        unknown |= {full_name(name, task, len(about.tasks)): it for name, it in figures_of(predictions).items()}
    by_task = {predictions.task.name: predictions for predictions in found}
    result = read_json(run.home / RESULT)
    return Scored(run, result, counts, values, headings, frozenset(shares), units, by_task, unknown)


def check_same_test(runs: Sequence[Scored]) -> None:
    """Refuse to compare runs that were tested on different frames or labels.

    Raises:
        DataError: naming two of them.
    """
    for other in runs[1:]:
        for task, predictions in runs[0].predictions.items():
            theirs = other.predictions.get(task)
            if theirs is None or not predictions.same_test(theirs):
                raise DataError(
                    f"{runs[0].run.home} and {other.run.home} were not tested on the same frames and labels: "
                    f"{_what_differs(predictions, theirs)}.",
                    "compare configs of the same data, test split, classes and frame rate",
                )


def _what_differs(first: TaskPredictions, second: TaskPredictions | None) -> str:
    """What two tests do not share, in words."""
    task = first.task.name
    if second is None:
        return f"only one was asked for {task!r}"
    if first.videos != second.videos:
        alone = sorted(set(first.videos) ^ set(second.videos))
        return f"{len(alone)} videos were tested in one run only, such as {alone[0]!r}"
    if len(first.frame) != len(second.frame):
        return f"{len(first.frame):,} and {len(second.frame):,} rows of {task!r}"
    return f"{int((first.truth != second.truth).sum()):,} rows of {task!r} have another true class"


def by_variant(runs: Iterable[Scored]) -> dict[str, dict[int, Scored]]:
    """Runs by variant and seed, in the order given."""
    found: dict[str, dict[int, Scored]] = {}
    for scored in runs:
        found.setdefault(scored.run.variant.name, {})[scored.run.seed] = scored
    return found


def paired(first: dict[int, Scored], second: dict[int, Scored], metric: str, resamples: int = 2000) -> Paired | None:
    """Two variants over the seeds that both have; None if there is none, or one of them has no score."""
    seeds = sorted(set(first) & set(second))
    if not seeds:
        return None
    ours, theirs = (np.stack([runs[seed].counts[metric] for seed in seeds]) for runs in (first, second))
    value = first[seeds[0]].values[metric]
    if not np.isfinite([value(counts.sum(1)) for counts in (ours, theirs)]).all():
        return None
    return pair(ours, theirs, value, resamples)


def run_rows(runs: Iterable[Scored]) -> list[Row]:
    """One row per run and metric; see :data:`RUN_COLUMNS`."""
    return [
        {"variant": scored.run.variant.name, "seed": scored.run.seed, "metric": metric, "value": value}
        for scored in runs
        for metric, value in {
            **{name: scored.score(name) for name in scored.counts},
            **scored.unknown,
            **scored.times,
        }.items()
    ]


def differences(runs: dict[str, dict[int, Scored]], margin: float, resamples: int = 2000) -> Differences:
    """Paired differences of every variant but the first to the first, by variant and metric.

    Args:
        runs: by variant and seed.
        margin: least difference that matters; see :func:`~gad_lightning.compare.statistics.margin_at`.
        resamples: of the test videos.
    """
    (_, base), *others = runs.items()
    one = next(iter(base.values()))
    found: Differences = {name: {} for name, _ in others}
    for metric in one.counts:
        pairs = {name: paired(scored, base, metric, resamples) for name, scored in others}
        known = {name: made for name, made in pairs.items() if made is not None}
        prior = prior_of(list(known.values()))
        for name, made in known.items():
            least = margin_at(made.second, margin) if metric in one.shares else margin
            found[name][metric] = difference_of(made, least, prior)
    return found


def count_rows(runs: Iterable[Scored]) -> list[Row]:
    """What every score is made of, one row per run, metric and test unit; see :data:`COUNT_COLUMNS`."""
    return [
        {
            "variant": scored.run.variant.name,
            "seed": scored.run.seed,
            "metric": metric,
            "unit": unit,
            "counts": " ".join(f"{count:g}" for count in row.tolist()),
        }
        for scored in runs
        for metric, table in scored.counts.items()
        for unit, row in zip(scored.units[metric], table, strict=True)
    ]


def difference_rows(reference: str, found: Differences) -> list[Row]:
    """One row per variant but the first, and metric; see :data:`DIFFERENCE_COLUMNS`."""
    return [
        {"variant": name, "reference": reference, "metric": metric, **one._asdict()}
        for name, by_metric in found.items()
        for metric, one in by_metric.items()
    ]


def markdown(runs: dict[str, dict[int, Scored]], found: Differences, failed: Sequence[Run]) -> str:
    """Tables for a document; failed runs are listed with their logs."""
    text = ["# Comparison", ""]
    if runs:
        one_run = next(iter(next(iter(runs.values())).values()))
        text += [
            *_mean_lines(runs, one_run.headings),
            "",
            *_difference_lines(next(iter(runs)), found, one_run),
            *figure_lines({name: [scored.unknown for scored in seeds.values()] for name, seeds in runs.items()}),
            *_about_lines(runs),
        ]
    if failed:
        text += [
            "## Failed",
            "",
            *(f"- {escape_markdown(run.variant.name)}, seed {run.seed}: see `{run.home / LOG}`" for run in failed),
        ]
    return "\n".join(text).rstrip() + "\n"


def _mean_lines(runs: dict[str, dict[int, Scored]], headings: dict[str, str]) -> list[str]:
    """Mean and standard error over seeds."""
    lines = [
        f"| variant | seeds | {' | '.join(map(escape_markdown, headings.values()))} | fit s | frames/s |",
        f"| --- |{' ---: |' * (len(headings) + 3)}",
    ]
    for name, seeds in runs.items():
        cells = []
        for metric in headings:
            mean, error = mean_and_error(np.array([scored.score(metric) for scored in seeds.values()]))
            cells.append(f"{mean:.3f}" if math.isnan(error) else f"{mean:.3f} ± {error:.3f}")
        times = [np.mean([scored.times[time] for scored in seeds.values()]) for time in (TIMES[0], TIMES[2])]
        lines.append(
            f"| {escape_markdown(name)} | {len(seeds)} | {' | '.join(cells)} | {times[0]:.1f} | {times[1]:,.0f} |"
        )
    return [*lines, "", "Mean and standard error over seeds."]


def _difference_lines(reference: str, found: Differences, one_run: Scored) -> list[str]:
    """Paired differences with their intervals."""
    headings = one_run.headings
    pairs = [pair for by_metric in found.values() for pair in by_metric.items()]
    if not pairs:
        return []
    titles = " | ".join(map(escape_markdown, (f"minus {reference}", *headings.values())))
    lines = [f"| {titles} |", f"| --- |{' ---: |' * len(headings)}"]
    for name, by_metric in found.items():
        shown = {metric: f"{one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}]" for metric, one in by_metric.items()}
        lines.append(f"| {escape_markdown(name)} | {' | '.join(shown.get(metric, '') for metric in headings)} |")
    note = "Paired by seed and video; 95 % intervals over test videos and seeds, by Student's t."
    shares = [one for metric, one in pairs if metric in one_run.shares]  # half a point of others means nothing
    if all(one.num_seeds < 2 for _, one in pairs):
        note += " One seed says nothing of how much seeds differ."
    elif shares:
        needed, widest = max(one.seeds_needed for one in shares), max(one.half_width_of_videos for one in shares)
        note += f" A half-width of 0.005 in all shares would take {needed:,} seeds by the spread of these;"
        note += f" the test videos alone leave up to {widest:.3f}."
    return [*lines, "", note, ""]


def _about_lines(runs: dict[str, dict[int, Scored]]) -> list[str]:
    """Commits and machines that the runs were made with."""
    results = [scored.result for seeds in runs.values() for scored in seeds.values()]
    facts = {name: sorted({str(result[name]) for result in results}) for name in ("commit", "hardware", "threads")}
    return [
        f"Commit {', '.join(facts['commit'])}; {', '.join(facts['hardware'])}; threads {', '.join(facts['threads'])}.",
        "",
    ]

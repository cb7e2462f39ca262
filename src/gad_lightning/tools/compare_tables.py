"""Tables of a comparison: every run, mean and standard error of every variant, paired differences to the first."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gad_lightning.atomic import atomic_write
from gad_lightning.errors import DataError
from gad_lightning.metrics.functional.labels import LabelSpace
from gad_lightning.tools.compare_runs import LOG, RESULT, Run
from gad_lightning.tools.compare_scores import METRICS, Frames, counts_of, read_frames, value_of
from gad_lightning.tools.compare_statistics import Difference, FloatArray, Value, compare, mean_and_error

Row = dict[str, str | int | float]
RUN_COLUMNS = ("variant", "seed", "metric", "value")
TIMES = ("fit_seconds", "predict_seconds", "frames_per_second")
"""Not the same in every run of the same seed."""


class Scored(NamedTuple):
    """A finished run and its counts."""

    run: Run
    result: dict[str, Any]  # as written by RunRecord
    counts: dict[str, FloatArray]  # (V, K) by metric; with several tasks by ``<task>_<metric>``
    values: dict[str, Value]  # from counts to a score, under the same names
    truths: dict[str, Frames]  # by task; what it was tested on

    def score(self, metric: str) -> float:
        """A score over all test videos."""
        return float(self.values[metric](self.counts[metric].sum(0)))

    @property
    def times(self) -> dict[str, float]:
        """Seconds, and frames a second of prediction."""
        fit, predict = self.result["fit_seconds"], self.result["predict_seconds"]
        frames = sum(len(frames.frame) for frames in self.truths.values())
        return dict(zip(TIMES, (fit, predict, round(frames / max(predict, 1e-9), 1)), strict=True))


def score_run(run: Run, metrics: Sequence[str] = METRICS) -> Scored:
    """Read the predictions of a finished run and count.

    Args:
        run: finished.
        metrics: of tasks that are asked at every frame; the others have ``top1`` only.
    """
    result = json.loads((run.home / RESULT).read_text(encoding="utf-8"))
    counts, values, truths = {}, {}, {}
    for task in result["tasks"]:
        labels = LabelSpace(len(task["names"]), task["background"], task["ignore"])
        frames = truths[task["name"]] = read_frames(
            run.home / "predictions" / "frames.csv", task["names"], task["name"]
        )
        prefix = "" if len(result["tasks"]) == 1 else f"{task['name']}_"
        asked = metrics if task["per_frame"] else ("top1",)
        for metric, found in counts_of(frames, labels, result["fps"], asked).items():
            counts[prefix + metric] = found
            values[prefix + metric] = value_of(metric, labels)
    return Scored(run, result, counts, values, truths)


def check_same_test(runs: Sequence[Scored]) -> None:
    """Refuse to compare runs that were tested on different frames or labels.

    Raises:
        DataError: naming two of them.
    """
    for other in runs[1:]:
        for task, frames in runs[0].truths.items():
            theirs = other.truths.get(task)
            columns = ("video", "frame", "truth")
            if (
                theirs is None
                or frames.videos != theirs.videos
                or any(not np.array_equal(getattr(frames, name), getattr(theirs, name)) for name in columns)
            ):
                raise DataError(
                    f"{runs[0].run.home} and {other.run.home} were not tested on the same frames and labels.",
                    "compare configs of the same data, test split, classes and frame rate",
                )


def by_variant(runs: Iterable[Scored]) -> dict[str, dict[int, Scored]]:
    """Runs by variant and seed, in the order given."""
    found: dict[str, dict[int, Scored]] = {}
    for scored in runs:
        found.setdefault(scored.run.variant.name, {})[scored.run.seed] = scored
    return found


def difference(first: dict[int, Scored], second: dict[int, Scored], metric: str, **how: Any) -> Difference | None:
    """Paired difference of two variants over the seeds that both have; None if there is none."""
    seeds = sorted(set(first) & set(second))
    if not seeds:
        return None
    ours, theirs = (np.stack([runs[seed].counts[metric] for seed in seeds]) for runs in (first, second))
    return compare(ours, theirs, first[seeds[0]].values[metric], **how)


def run_rows(runs: Iterable[Scored]) -> list[Row]:
    """One row per run and metric; see :data:`RUN_COLUMNS`."""
    return [
        {"variant": scored.run.variant.name, "seed": scored.run.seed, "metric": metric, "value": value}
        for scored in runs
        for metric, value in {**{name: scored.score(name) for name in scored.counts}, **scored.times}.items()
    ]


def difference_rows(runs: dict[str, dict[int, Scored]], **how: Any) -> list[Row]:
    """One row per variant but the first, and metric."""
    (reference, base), *others = runs.items()
    rows: list[Row] = []
    for name, scored in others:
        for metric in next(iter(base.values())).counts:
            found = difference(scored, base, metric, **how)
            if found is not None:
                rows.append({"variant": name, "reference": reference, "metric": metric, **found._asdict()})
    return rows


def write_csv(target: Path, rows: Sequence[Row]) -> None:
    """Write rows with the columns of the first."""
    with atomic_write(target) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else RUN_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def markdown(runs: dict[str, dict[int, Scored]], differences: Sequence[Row], failed: Sequence[Run]) -> str:
    """Tables for a document; failed runs are listed with their logs."""
    text = ["# Comparison", ""]
    if runs:
        metrics = list(next(iter(next(iter(runs.values())).values())).counts)
        text += [*_mean_lines(runs, metrics), "", *_difference_lines(differences, metrics), *_about_lines(runs)]
    if failed:
        text += ["## Failed", "", *(f"- {run.variant.name}, seed {run.seed}: see `{run.home / LOG}`" for run in failed)]
    return "\n".join(text).rstrip() + "\n"


def _mean_lines(runs: dict[str, dict[int, Scored]], metrics: Sequence[str]) -> list[str]:
    """Mean and standard error over seeds."""
    lines = [
        f"| variant | seeds | {' | '.join(metrics)} | fit s | frames/s |",
        f"| --- |{' ---: |' * (len(metrics) + 3)}",
    ]
    for name, seeds in runs.items():
        cells = []
        for metric in metrics:
            mean, error = mean_and_error(np.array([scored.score(metric) for scored in seeds.values()]))
            cells.append(f"{mean:.3f}" if math.isnan(error) else f"{mean:.3f} ± {error:.3f}")
        times = [np.mean([scored.times[time] for scored in seeds.values()]) for time in (TIMES[0], TIMES[2])]
        lines.append(f"| {name} | {len(seeds)} | {' | '.join(cells)} | {times[0]:.1f} | {times[1]:,.0f} |")
    return [*lines, "", "Mean and standard error over seeds."]


def _difference_lines(rows: Sequence[Row], metrics: Sequence[str]) -> list[str]:
    """Paired differences with their intervals."""
    if not rows:
        return []
    lines = [f"| minus {rows[0]['reference']} | {' | '.join(metrics)} |", f"| --- |{' ---: |' * len(metrics)}"]
    for name in dict.fromkeys(row["variant"] for row in rows):
        found = {row["metric"]: row for row in rows if row["variant"] == name}
        cells = [
            f"{found[metric]['value']:+.3f} [{found[metric]['low']:+.3f}, {found[metric]['high']:+.3f}]"
            for metric in metrics
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    needed = max(int(row["seeds_needed"]) for row in rows)
    widest = max(float(row["half_width_of_videos"]) for row in rows)
    note = "Paired by seed and video; 95 % intervals over test videos and seeds, by Student's t."
    if all(int(row["num_seeds"]) < 2 for row in rows):
        note += " One seed says nothing of how much seeds differ."
    else:
        note += f" A half-width of 0.005 in all of them would take {needed:,} seeds by the spread of these;"
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

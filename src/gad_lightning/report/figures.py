"""The sections of the page that hold figures of classes, confusions, calibration, delay, training and states."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from xml.etree.ElementTree import Element

import numpy as np
import torch

from gad_lightning.metrics.functional.f1 import BANDS, band_title
from gad_lightning.report.charts import Axes, Line, chart, matrix, scatter
from gad_lightning.report.embedding import purity, silhouette, standardized, tsne
from gad_lightning.report.markup import Child, number, table, tag
from gad_lightning.report.merging import TaskOfRuns
from gad_lightning.report.runs import RunTraces
from gad_lightning.report.scores import worst_confusions
from gad_lightning.report.timelines import legend
from gad_lightning.results.standard import OVERLAP
from gad_lightning.schema import LabelSet

MATRIX = 40
"""Classes of a confusion matrix; of more the most frequent ones are shown."""
SHOWN = 40
"""Rows of a table that are not folded."""
POINTS = 500
"""States in a picture."""


def section(title: str, *children: Element | None) -> Element:
    """A part of the page under a heading."""
    return tag("section", tag("h2", title), *children)


def key(names: Sequence[str]) -> Element | None:
    """Which color is which run; nothing for one run alone."""
    if len(names) == 1:
        return None
    items = [tag("li", tag("span", name), class_=f"ink c{place % 8}") for place, name in enumerate(names)]
    return tag("ul", *items, class_="key")


def _bar(share: float, color: int) -> Element:
    """A figure with a bar beside it."""
    width = 0.0 if math.isnan(share) else 60 * share
    return tag("span", number(share), tag("i", class_=f"bar ink c{color % 8}", style=f"width:{width:.1f}px"))


def classes(asked: TaskOfRuns, more: str) -> Element:
    """F1 of every class and of rare and frequent ones."""
    heads = ["class", "true segments", *asked.names] if asked.per_frame else ["class", "asked", *asked.names]
    support, values = _class_values(asked)
    order = [index for index in np.argsort(-support, kind="stable").tolist() if index != asked.labels.background]
    rows: list[list[Child]] = [
        [
            asked.labels.names[index],
            number(float(support[index]), 0),
            *(_bar(float(value[index]), place) for place, value in enumerate(values)),
        ]
        for index in order
        if support[index] or any(value[index] > 0 for value in values)
    ]
    what = f"Segment-F1 (IoU {OVERLAP:g})" if asked.per_frame else "Share named right"
    return section(
        f"Classes{more}",
        tag("p", f"{what} of each class, the most frequent in the truth first.", class_="note"),
        _bands(asked),
        table(heads, rows[:SHOWN], "bars"),
        _folded(f"{len(rows) - SHOWN} more classes", table(heads, rows[SHOWN:], "bars")) if len(rows) > SHOWN else None,
    )


def _folded(title: str, part: Element) -> Element:
    """Something that is shown on demand."""
    return tag("details", tag("summary", title), part)


def _class_values(asked: TaskOfRuns) -> tuple[np.ndarray, list[np.ndarray]]:
    """How often each class occurs in the truth, and per run its F1 (or recall where clips are asked about)."""
    if asked.per_frame and all(scores.segment is not None for scores in asked.scores):
        details = [scores.segment["per_class"] for scores in asked.scores if scores.segment is not None]
        return (details[0]["tp"] + details[0]["fn"]).numpy(), [detail["f1"].numpy() for detail in details]
    totals = [scores.confusion.sum(1) for scores in asked.scores]
    right = [np.diag(scores.confusion) / np.maximum(scores.confusion.sum(1), 1) for scores in asked.scores]
    return totals[0], right


def _bands(asked: TaskOfRuns) -> Element | None:
    """F1 by how frequent a class is."""
    found = [scores.segment["bands"] for scores in asked.scores if scores.segment is not None]
    present = [band for band in BANDS if any(band[0] in of_run for of_run in found)]
    if not found or not present:
        return None
    by = "training segments" if asked.scores[0].banded_by == "training" else "true segments seen here"
    rows: list[list[Child]] = [
        [
            band_title(name),
            *(_bar(float(of_run[name]["f1"]), place) if name in of_run else "-" for place, of_run in enumerate(found)),
        ]
        for name, _, _ in present
    ]
    return tag("div", tag("h3", f"By frequency ({by} of a class)"), table(["classes", *asked.names], rows, "bars"))


def confusions(asked: TaskOfRuns, more: str) -> Element:
    """A matrix and the most frequent errors of every run."""
    parts = []
    for name, scores in zip(asked.names, asked.scores, strict=True):
        totals = scores.confusion.sum(1) + scores.confusion.sum(0)
        chosen = sorted(index for index in np.argsort(-totals, kind="stable")[:MATRIX].tolist() if totals[index])
        rows = [
            [truth, predicted, number(frames, 0), f"{share:.0%}"]
            for truth, predicted, frames, share in worst_confusions(scores.confusion, asked.labels.names)
        ]
        errors = (
            table(["truth", "predicted", "frames", "of the truth's"], rows, "pairs") if rows else tag("p", "No error.")
        )
        picture = matrix(name, scores.confusion, asked.labels.names, chosen)
        parts.append(tag("div", tag("h3", name), tag("div", picture, errors, class_="figures")))
    note = "Rows are the truth, columns the prediction; the shade is the share of the row's frames. Point at a cell."
    hidden = f" The {MATRIX} most frequent classes are shown." if len(asked.labels.names) > MATRIX else ""
    return section(f"Confusions{more}", tag("p", note + hidden, class_="note"), *parts)


def calibration(asked: TaskOfRuns, more: str) -> Element:
    """Reliability: how often a confidence is right."""
    lines = [Line("perfect", [(0, 0), (1, 1)], 7, dashed=True)]
    for place, (name, scores) in enumerate(zip(asked.names, asked.scores, strict=True)):
        found = scores.calibration
        bins = zip(found["confidence"].tolist(), found["accuracy"].tolist(), found["frames"].tolist(), strict=True)
        lines.append(Line(name, [(sure, right) for sure, right, frames in bins if frames], place, dots=True))
    axes = Axes((0, 1), (0, 1), "confidence", "share that is right")
    counts = [
        Line(n, _sure_counts(s.calibration["frames"].tolist()), p)
        for p, (n, s) in enumerate(zip(asked.names, asked.scores, strict=True))
    ]
    spread = chart("How sure it is", Axes((0, 1), (0, 1), "confidence", "share of frames up to it"), counts)
    rows = [
        [name, number(float(scores.calibration["error"]))]
        for name, scores in zip(asked.names, asked.scores, strict=True)
    ]
    note = "A dot is a bin of confidence; above the dashed line the classifier is too modest, below it too sure."
    return section(
        f"Calibration{more}",
        tag("p", note, class_="note"),
        key(asked.names),
        tag("div", chart("Reliability", axes, lines), spread, table(["run", "expected error"], rows), class_="figures"),
    )


def _sure_counts(frames: Sequence[int]) -> list[tuple[float, float]]:
    """Running share of the frames over bins of confidence."""
    total, done, points = max(sum(frames), 1), 0, [(0.0, 0.0)]
    for place, count in enumerate(frames, 1):
        done += count
        points.append((place / len(frames), done / total))
    return points


def delays(asked: TaskOfRuns, more: str) -> Element | None:
    """How long after its start an action is found."""
    if not asked.per_frame or any(scores.delay is None for scores in asked.scores):
        return None
    finite = [scores.delays[np.isfinite(scores.delays)] for scores in asked.scores]
    longest = max([1.0, *(float(np.quantile(found, 0.98)) for found in finite if len(found))])
    lines = []
    for place, (name, scores, found) in enumerate(zip(asked.names, asked.scores, finite, strict=True)):
        lines.append(Line(name, _stairs(found, len(scores.delays), longest), place))
    axes = Axes((0, longest), (0, 1), "seconds after the start", "share of true segments found")
    rows = []
    for name, scores in zip(asked.names, asked.scores, strict=True):
        delay = scores.delay
        assert delay is not None, "looked at above"
        seconds = [number(float(delay[what]), 2) for what in ("mean_seconds", "median_seconds", "p90_seconds")]
        missed = f"{float(delay['missed']):.1%}"
        rows.append([name, *seconds, missed, number(float(delay["false_alarms_per_hour"]), 0)])
    head = ["run", "mean s", "median s", "90 % within s", "never found", "false alarms an hour"]
    return section(
        f"Detection delay{more}",
        tag("p", "From the start of an action to the first frame that is labeled right.", class_="note"),
        key(asked.names),
        tag("div", chart("Found after", axes, lines), table(head, rows), class_="figures"),
    )


def _stairs(seconds: np.ndarray, total: int, longest: float) -> list[tuple[float, float]]:
    """Corners of the share of ``total`` found after each time, from 0 to ``longest``.

    Example:
        >>> _stairs(np.array([0.0, 1.0]), 4, 2.0)
        [(0.0, 0.25), (1.0, 0.25), (1.0, 0.5), (2.0, 0.5)]
    """
    times = [0.0, *(time for time in np.unique(seconds).tolist() if 0 < time <= longest)]
    shares = [float((seconds <= time).sum()) / max(total, 1) for time in times]
    corners = [(times[0], shares[0])]
    for (_, before), (time, share) in pairwise(zip(times, shares, strict=True)):
        corners += [(time, before), (time, share)]
    return [*corners, (longest, shares[-1])]


def curves(runs: Sequence[RunTraces]) -> Element | None:
    """What was logged while training."""
    metrics = sorted({name for run in runs for name in run.curves})
    if not metrics:
        return None
    figures = []
    for metric in metrics:
        lines = [
            Line(run.name, run.curves[metric], place, dots=len(run.curves[metric]) < 30)
            for place, run in enumerate(runs)
            if metric in run.curves
        ]
        last = max(x for line in lines for x, _ in line.points)
        axes = Axes((0, max(last, 1)), _reaching(lines), "epoch", metric.partition("/")[2], width=300, height=200)
        figures.append(chart(metric, axes, lines))
    return section("Training", key([run.name for run in runs]), tag("div", *figures, class_="figures small"))


def states(runs: Sequence[RunTraces], of_task: Mapping[str, LabelSet]) -> Element:
    """Slot states in the plane, and how far classes lie apart; of runs of the same first task as the first of them."""
    kept = [run for run in runs if run.states is not None and len(run.states.states) >= 20]
    kept = [run for run in kept if run.predictions[0].task.name == kept[0].predictions[0].task.name]
    if not kept:
        note = "No states are stored beside these predictions: add --predict=always to predict again and keep some."
        return section("States", tag("p", note, class_="note"))
    figures, rows = [], []
    labels = of_task[kept[0].predictions[0].task.name]
    seen: set[int] = set()
    for run in kept:
        found = run.states
        assert found is not None, "chosen above"
        chosen = np.linspace(0, len(found.states) - 1, min(POINTS, len(found.states))).astype(int)
        rows_of, truth = torch.from_numpy(found.states[chosen]), found.truth[chosen]
        own = run.predictions[0].task.labels.names
        kinds = np.array([labels.names.index(own[index]) for index in truth])
        flat, known = standardized(rows_of), torch.from_numpy(truth)
        seen |= set(kinds.tolist())
        figures.append(scatter(run.name, tsne(rows_of).numpy(), kinds, labels.names))
        rows.append([run.name, number(purity(flat, known)), number(silhouette(flat, known)), str(len(chosen))])
    note = "Slot states of frames spread over the videos, laid out by t-SNE, colored by the true class."
    return section(
        "States",
        tag("p", note, class_="note"),
        legend(labels, sorted(seen)),
        tag("div", *figures, class_="figures"),
        table(["run", "10 neighbors of its class", "silhouette", "states"], rows),
    )


def _reaching(lines: Sequence[Line]) -> tuple[float, float]:
    """From 0 or the lowest to the highest value of some curves."""
    values = [y for line in lines for _, y in line.points if math.isfinite(y)]
    return (min(0.0, *values), max(values)) if len(values) > 1 else (0.0, max([*values, 1.0]))

"""The section of the page that holds the operating curve: what a threshold costs, read by moving a slider."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np
import torch

from gad_lightning.metrics.functional.alarm_curve import THRESHOLDS, Curve, alarm_curve
from gad_lightning.metrics.functional.frames import FrameTable
from gad_lightning.report.charts import Axes, Line, chart
from gad_lightning.report.figures import key, section
from gad_lightning.report.markup import number, table, tag
from gad_lightning.report.merging import TaskOfRuns
from gad_lightning.results.predictions import TaskPredictions
from gad_lightning.results.standard import space_of, table_of

CLASSES = 40
"""Classes of a run's table; of more the most frequent ones are shown."""
START = THRESHOLDS.index(0.5)
"""Where the slider stands at first."""
READ = ("false alarms an hour", "recall", "median delay s")


class _Step(NamedTuple):
    """What is read at one threshold."""

    alarms: float
    recall: float
    delay: float

    @property
    def cells(self) -> tuple[str, str, str]:
        """As it is shown."""
        recall = "-" if math.isnan(self.recall) else f"{self.recall:.1%}"
        return number(self.alarms, 1), recall, number(self.delay, 2)


def operating(asked: TaskOfRuns, more: str) -> Element | None:
    """Recall and delay against false alarms an hour, with a marker to move.

    Args:
        asked: a task of all runs.
        more: what the heading says of the task.
    """
    if not asked.per_frame or any(scores.delay is None for scores in asked.scores):
        return None
    curves = [_curve_of(found, fps) for found, fps in zip(asked.predictions, asked.fps, strict=True)]
    steps = [_steps(curve.alarms, curve.recall, curve.delay) for curve in curves]
    widest = max([1.0, *(step.alarms for of_run in steps for step in of_run)])
    longest = max([1.0, *(step.delay for of_run in steps for step in of_run if math.isfinite(step.delay))])
    recalls, waits = Axes((0, widest), (0, 1), READ[0], READ[1]), Axes((0, widest), (0, longest), READ[0], READ[2])
    charts = (
        _marked("Recall", recalls, asked.names, [[(step.alarms, step.recall) for step in run] for run in steps]),
        _marked("Delay", waits, asked.names, [[(step.alarms, step.delay) for step in run] for run in steps]),
    )
    slider = tag(
        "input",
        type="range",
        min=0,
        max=len(THRESHOLDS) - 1,
        step=1,
        value=START,
        data_thresholds=" ".join(f"{threshold:g}" for threshold in THRESHOLDS),
        aria_label="threshold",
    )
    note = (
        "An alarm starts where a class is shown and its probability reaches the threshold. Move the slider and read "
        "what that costs on the videos of this page; a threshold chosen here is chosen on them, so choose it on "
        "validation with gad-lightning calibrate."
    )
    return section(
        f"Operating curve{more}",
        tag("p", note, class_="note"),
        key(asked.names),
        tag(
            "div",
            tag("label", "Threshold ", slider, " ", tag("output", f"{THRESHOLDS[START]:g}")),
            tag("div", *charts, class_="figures"),
            _readings("run", asked.names, steps),
            *(_by_class(asked, place, curve) for place, curve in enumerate(curves)),
            class_="operating",
        ),
    )


def _curve_of(found: TaskPredictions, fps: float) -> Curve:
    """Count what every threshold on the probability of the label shown leaves."""
    laid, space = table_of(found, single=True), space_of(found.task, single=True)
    score = torch.from_numpy(found.score)
    hours = int(space.scored(laid.target).sum()) / (fps * 3600)

    def shown(threshold: float) -> FrameTable:
        """Below the threshold no class is shown."""
        return laid._replace(preds=laid.preds.masked_fill(score < threshold, space.num_classes))

    return alarm_curve(THRESHOLDS, shown, space, fps, hours)


def _steps(*columns: torch.Tensor) -> list[_Step]:
    """One reading a threshold, of alarms, recall and delay: (T,) each."""
    return [_Step(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _marked(title: str, axes: Axes, names: Sequence[str], points: Sequence[Sequence[tuple[float, float]]]) -> Element:
    """A chart with a line and a marker a run; the markers know their places at every threshold."""
    lines = [Line(name, of_run, place) for place, (name, of_run) in enumerate(zip(names, points, strict=True))]
    made = chart(title, axes, lines)
    picture = made[-1]
    for color, of_run in enumerate(points):
        places = [
            [round(part, 1) for part in axes.place(x, y)] if math.isfinite(x) and math.isfinite(y) else None
            for x, y in of_run
        ]
        here = places[START] or (0.0, 0.0)
        hidden = None if places[START] else "visibility:hidden"
        dot = tag("circle", cx=here[0], cy=here[1], r=6, class_=f"dot c{color % 8}", style=hidden)
        dot.set("data-places", json.dumps(places))
        picture.append(dot)
    return made


def _readings(what: str, names: Sequence[str], steps: Iterable[Sequence[_Step]]) -> Element:
    """A table whose rows know what they say at every threshold."""
    of_rows = [[step.cells for step in row] for row in steps]
    made = table([what, *READ], [[name, *row[START]] for name, row in zip(names, of_rows, strict=True)])
    for row, cells in zip(made.iterfind("./table/tbody/tr"), of_rows, strict=True):
        row.set("data-steps", json.dumps(cells))
    return made


def _by_class(asked: TaskOfRuns, place: int, curve: Curve) -> Element:
    """The same for every class of a run, the most frequent in the truth first; folded."""
    support = asked.scores[place].confusion.sum(1)
    alarms = curve.each_alarms.nan_to_num().amax(0).numpy()
    left_out = (asked.labels.background, asked.labels.ignore)
    order = [index for index in np.argsort(-support, kind="stable").tolist() if index not in left_out]
    shown = [index for index in order if support[index] or alarms[index]][:CLASSES]
    columns = (curve.each_alarms, curve.each_recall, curve.each_delay)
    steps = [_steps(*(column[:, index] for column in columns)) for index in shown]
    title = f"By class, {asked.names[place]}" if len(asked.names) > 1 else "By class"
    return tag(
        "details", tag("summary", title), _readings("class", [asked.labels.names[index] for index in shown], steps)
    )

"""The section of the page on actions that are none of the classes."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np

from gad_lightning.metrics.functional.three_way import KINDS
from gad_lightning.report.charts import Axes, Line, chart
from gad_lightning.report.figures import key, section
from gad_lightning.report.markup import Child, number, table, tag
from gad_lightning.report.merging import TaskOfRuns
from gad_lightning.results.open_set import SCORES, OpenSetScores, is_open, open_set_of

POINTS = 300
"""Corners of a curve, at most."""
TAKEN = 10
"""Classes that unknown actions are taken for, at most."""


def unknown_actions(asked: TaskOfRuns, more: str) -> Element | None:
    """Scores of unknown actions of the runs that reject, or whose truth has some; None if there is no such run."""
    found = [
        (place, asked.names[place], open_set_of(predictions))
        for place, predictions in enumerate(asked.predictions)
        if asked.per_frame and is_open(predictions)
    ]
    if not found:
        return None
    known, unknown = found[0][2].known, found[0][2].unknown
    note = f"Segments of the truth: {known:,} of known actions, {unknown:,} of actions that are none of the classes."
    return section(
        f"Unknown actions{more}",
        tag("p", note, class_="note"),
        _ranking(found) if unknown and known else tag("p", "So nothing can be ranked.", class_="note"),
        tag("div", *(_kinds(name, scores) for _, name, scores in found if scores.kinds is not None), class_="figures"),
        key(asked.names) if unknown and known else None,
        tag("div", _curve(found), *_taken_for(asked, found), class_="figures") if unknown and known else None,
    )


def without_training(asked: TaskOfRuns, more: str) -> Element | None:
    """Accuracies on classes with and without training, where the truth has some without."""
    if not any(scores.unseen for scores in asked.scores):
        return None
    heads = [f"{kind} {name}" for kind in ("segment", "frame") for name in ("seen", "unseen", "harmonic")]
    rows: list[list[Child]] = [
        [
            tag("span", name, class_=f"ink c{place % 8}"),
            *(number(scores.unseen.get(head.replace(" ", "_"), float("nan"))) for head in heads),
        ]
        for place, (name, scores) in enumerate(zip(asked.names, asked.scores, strict=True))
    ]
    note = "Share named right, the mean over the classes that training showed, over those it did not, and their mean."
    return section(f"Classes without training{more}", tag("p", note, class_="note"), table(["run", *heads], rows))


def _ranking(found: list[tuple[int, str, OpenSetScores]]) -> Element:
    """A row a run: the scores of frames and of segments."""
    head = ["run", "ranked by", *(f"{kind} {title}" for kind in ("segment", "frame") for title in SCORES.values())]
    rows: list[list[Child]] = []
    for place, name, scores in found:
        by = "rejection" if scores.by_rejection else "low probability"
        values = [number(part[score]) for part in (scores.segments, scores.frames) for score in SCORES]
        rows.append([tag("span", name, class_=f"ink c{place % 8}"), by, *values])
    note = (
        "AUROC: chance that an unknown action scores above a known one. FPR at 95 %: share of the unknown that stay "
        "known where 95 % of the known do. AUPR: average precision. OSCR: also counts whether known ones are rightly "
        "named. A segment scores the mean of its frames that can be unknown."
    )
    return tag("div", tag("p", note, class_="note"), table(head, rows))


def _kinds(name: str, scores: OpenSetScores) -> Element:
    """What segments of each kind were called, and the F1 of each kind."""
    assert scores.kinds is not None, "asked before"
    rows: list[list[Child]] = [
        [kind, *(number(float(count), 0) for count in counts), number(scores.three_way[f"{kind}_f1"])]
        for kind, counts in zip(KINDS, scores.kinds, strict=True)
    ]
    head = ["truth", *(f"called {kind}" for kind in KINDS), "F1"]
    mean = f"{name}: mean F1 of the kinds {number(scores.three_way['three_way'])}"
    return tag("div", tag("h3", mean), table(head, rows))


def _curve(found: list[tuple[int, str, OpenSetScores]]) -> Element:
    """Unknown segments found over known ones lost."""
    lines = [Line("by chance", [(0, 0), (1, 1)], 7, dashed=True)]
    for place, name, scores in found:
        chosen = np.unique(np.linspace(0, len(scores.lost) - 1, POINTS).astype(int))
        points = [(0.0, 0.0), *zip(scores.lost[chosen].tolist(), scores.found[chosen].tolist(), strict=True)]
        lines.append(Line(name, points, place))
    return chart("Unknown found", Axes((0, 1), (0, 1), "share of known lost", "share of unknown found"), lines)


def _taken_for(asked: TaskOfRuns, found: list[tuple[int, str, OpenSetScores]]) -> list[Element]:
    """The likeliest known classes of unknown segments, a table a run."""
    made = []
    for _, name, scores in found:
        order = np.argsort(-scores.taken_for, kind="stable")[:TAKEN].tolist()
        rows = [
            [asked.labels.names[index], number(float(scores.taken_for[index]), 0)]
            for index in order
            if scores.taken_for[index]
        ]
        made.append(tag("div", tag("h3", name), table(["unknown is nearest to", "segments"], rows, "pairs")))
    return made

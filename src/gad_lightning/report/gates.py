"""The section of the page on what a gate saves, where ``gad-lightning fit-gate`` was asked."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from gad_lightning.report.figures import section
from gad_lightning.report.markup import Child, number, table, tag
from gad_lightning.report.runs import RunTraces
from gad_lightning.results.gate_table import GateTable


def gates(runs: Sequence[RunTraces]) -> Element | None:
    """A table of gates a run; None if no run has any."""
    found = [(run.name, run.gates) for run in runs if run.gates is not None]
    if not found:
        return None
    note = (
        "Live streams can read most frames by their lowest layers, and only one in so many by all at once. The chosen "
        "gate is bold, with its threshold; the others are there to compare: every n-th frame, and a plain rule on the "
        "change of the features."
    )
    return section("What a gate saves", tag("p", note, class_="note"), *(_compared(*one) for one in found))


def _compared(name: str, made: GateTable) -> Element:
    """The gates of one run."""
    rows: list[list[Child]] = []
    for place, row in enumerate(made.rows):
        shown = tag("b", row.name) if place == 0 else row.name
        rows.append([shown, *(number(value) for value in row[1:])])
    title = (
        f"{name}: {made.layers} of {made.depth} layers for every frame, {made.videos} videos ({made.split}), in which "
        f"the label changes {made.changes} times"
    )
    head = ["gate", "one whole in", "segment-F1", "accuracy", "same label", "delay in frames"]
    return tag("div", tag("h3", title), table(head, rows))

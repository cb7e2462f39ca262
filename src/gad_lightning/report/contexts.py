"""The section of the page on what GAD could write, where ``gad-lightning choose-context`` was asked."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from gad_lightning.report.figures import section
from gad_lightning.report.markup import Child, number, table, tag
from gad_lightning.report.runs import RunTraces
from gad_lightning.results.context_table import Band, ContextTable


def contexts(runs: Sequence[RunTraces]) -> Element | None:
    """A table of usable information a run; None if no run has any."""
    found = [(run.name, run.contexts) for run in runs if run.contexts is not None]
    if not found:
        return None
    note = (
        "Usable information in nats on held-out videos, with 95 % intervals over them. A context scores by the smaller "
        "of what it tells of the label that the slot does not, and what the slot tells of it."
    )
    return section("What GAD could write", tag("p", note, class_="note"), *(_ranked(*one) for one in found))


def _ranked(name: str, made: ContextTable) -> Element:
    """The contexts of one run, the chosen one bold."""
    rows: list[list[Child]] = []
    for row in made.rows:
        shown = tag("b", row.name) if row.name == made.chosen else row.name
        rows.append([shown, *(_with_interval(band) for band in row[1:])])
    title = f"{name}: {made.chosen}, by {made.videos} videos ({made.split})"
    head = ["context", "score", "tells of the label", "shown by the slot"]
    return tag("div", tag("h3", title), table(head, rows))


def _with_interval(band: Band) -> str:
    """A value and its interval."""
    value, low, high = (number(part) for part in band)
    return f"{value} [{low}, {high}]"

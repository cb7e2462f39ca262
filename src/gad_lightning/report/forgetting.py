"""The section of the page on what fine-tuning cost the language model."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from gad_lightning.report.charts import Axes, Line, chart
from gad_lightning.report.figures import key, section
from gad_lightning.report.markup import Child, number, table, tag
from gad_lightning.report.runs import RunTraces
from gad_lightning.results.forgetting import NEUTRAL_KL, PROBES, Forgetting, Probe


def forgetting(runs: Sequence[RunTraces]) -> Element | None:
    """Scores of the task over what is kept, of the runs whose forgetting was measured; None if none was."""
    found = [(place, run.name, run.forgetting) for place, run in enumerate(runs) if run.forgetting is not None]
    if not found:
        return None
    note = (
        "The adapter at several scales: 0 is the language model as it came, with the trained connector, new tokens and "
        "heads; 1 is the run. Connector and new tokens are never scaled. KL is that of the next token, base to tuned, "
        "in nats. Measured on the validation split by gad-lightning forgetting."
    )
    wanted = [probe for probe in PROBES if probe.name in (NEUTRAL_KL.name, "pairs", "questions")]
    drawn = [probe for probe in wanted if any(measured.points(probe) for _, _, measured in found)]
    return section(
        "Forgetting",
        tag("p", note, class_="note"),
        key([run.name for run in runs]),
        tag("div", *(_frontier(probe, found) for probe in drawn), class_="figures"),
        *(_table(name if len(runs) > 1 else "", measured) for _, name, measured in found),
    )


def _frontier(probe: Probe, found: Sequence[tuple[int, str, Forgetting]]) -> Element:
    """The task's score over one probe, a line a run."""
    lines = [Line(name, measured.points(probe), place, dots=True) for place, name, measured in found]
    across, up = ([point[axis] for line in lines for point in line.points] for axis in (0, 1))
    most = max(across, default=1.0)
    ends = (0.0, most if most > 0 else 1.0)
    metrics = list(dict.fromkeys(measured.metric for _, _, measured in found))
    return chart(probe.title, Axes(ends, (0.0, max([*up, 1e-3])), probe.title, " / ".join(metrics)), lines)


def _table(name: str, found: Forgetting) -> Element:
    """A row a scale."""
    probes = [probe for probe in PROBES if probe.name in found.rows[0].probes]
    rows: list[list[Child]] = [
        [
            f"{row.scale:g}",
            number(row.metrics[found.metric]),
            *(number(row.probes.get(probe.name, float("nan")), probe.digits) for probe in probes),
        ]
        for row in found.rows
    ]
    knee = found.knee()
    counts = ", ".join(f"{count:,} {what}" for what, count in found.counts.items())
    said = "No knee." if knee is None else f"Knee at the scale {knee:g}."
    return tag(
        "div",
        tag("h3", name) if name else None,
        table(["scale", found.metric, *(probe.title for probe in probes)], rows),
        tag("p", f"{said} Of {counts}.", class_="note"),
    )

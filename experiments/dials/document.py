"""README.md and curves.png of the dials, from what is stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from curves import HERE, METRICS
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gad_lightning.atomic import atomic_write
from gad_lightning.data.simulated.dials import told_by_history
from gad_lightning.pictures.timelines import save_picture

Stored = Mapping[str, Any]
NAMES = {
    "disc": "Disc",
    "gen": "Gen",
    "gad": "GAD",
    "segment_f1": "segment-F1",
    "point_f1": "point-F1",
    "top1": "top-1",
}
ACTIONS = 24
DRAWN = {"segment_f1": "#1f5fa8", "top1": "#c8641e"}
"""Colors of the metrics in the picture."""


def draw_curves(curves: Sequence[Stored]) -> Figure:
    """Draw a panel a curve: difference and 95 % interval against the dial, a color a metric.

    Args:
        curves: as stored, each with a point at least.
    """
    figure = Figure(figsize=(8.2, 2.9 * -(-len(curves) // 2)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(-(-len(curves) // 2), 2, squeeze=False).flat
    for panel, curve in zip(panels, curves, strict=False):
        positions = [point["position"] for point in curve["points"]]
        for metric, color in DRAWN.items():
            found = [point["difference"][metric] for point in curve["points"]]
            panel.fill_between(
                positions, [c["low"] for c in found], [c["high"] for c in found], color=color, alpha=0.18, linewidth=0
            )
            panel.plot(positions, [c["value"] for c in found], "o-", color=color, markersize=4, label=NAMES[metric])
        panel.axhline(0, color="0.3", linewidth=0.8, linestyle="--")
        panel.set_title(title_of(curve), fontsize=10, loc="left")
        panel.set_xlabel(f"{curve['dial']} (control: {positions[0]:g})", fontsize=9)
        panel.set_xticks(positions, [f"{position:g}" for position in positions])
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels:  # one too many, if their number is odd
        panel.set_visible(False)
    figure.axes[0].legend(fontsize=8, frameon=False)
    return figure


def title_of(curve: Stored) -> str:
    """What is drawn, such as ``Disc minus Gen``."""
    return f"{NAMES[curve['first']]} minus {NAMES[curve['second']]}"


def side_of(cell: Stored) -> str:
    """Where an interval lies.

    Example:
        >>> side_of({"low": 0.01, "high": 0.03}), side_of({"low": -0.01, "high": 0.03})
        ('above 0', 'not told apart from 0')
    """
    return "above 0" if cell["low"] > 0 else "below 0" if cell["high"] < 0 else "not told apart from 0"


def text_of(cell: Stored) -> str:
    """Value and interval."""
    return f"{cell['value']:+.3f} [{cell['low']:+.3f}, {cell['high']:+.3f}]"


def mean(values: Sequence[float]) -> float:
    """Of the seeds."""
    return sum(values) / len(values)


def table_of(curve: Stored) -> list[str]:
    """One row a position: mean scores of both, and their differences."""
    first, second = curve["first"], curve["second"]
    titles = [curve["dial"], "seeds", NAMES[first], NAMES[second]]
    titles += [f"difference, {NAMES[metric]}" for metric in METRICS]
    lines = [f"### {title_of(curve)} over {curve['dial']}", ""]
    lines += [f"| {' | '.join(titles)} |", "| --- | ---: |" + " --- |" * (len(titles) - 2)]
    for point in curve["points"]:
        scores = (
            " / ".join(f"{mean(point['scores'][name][metric]):.3f}" for metric in METRICS) for name in (first, second)
        )
        differences = [text_of(point["difference"][metric]) for metric in METRICS]
        row = [f"{point['position']:g}", str(len(point["seeds"])), *scores, *differences]
        lines.append(f"| {' | '.join(row)} |")
    changes = [text_of(curve["change"][metric]) for metric in METRICS]
    return [*lines, f"| {' | '.join(['last minus first', '', '', '', *changes])} |", ""]


def seen_in(curve: Stored) -> str:
    """What a curve says: at its control, and from its first position to its last."""
    title, points = title_of(curve), curve["points"]
    start, end = points[0]["position"], points[-1]["position"]
    control = (f"{side_of(points[0]['difference'][metric])} in {NAMES[metric]}" for metric in METRICS)
    said = f"- {title}, {curve['dial']}: at the control ({start:g}) it is {joined(control)}."
    ways = {"above 0": "rises", "below 0": "falls", "not told apart from 0": "does not move beyond chance"}
    moves = (f"{ways[side_of(curve['change'][metric])]} in {NAMES[metric]}" for metric in METRICS)
    return f"{said} From {start:g} to {end:g} it {joined(moves)}."


def joined(parts: Iterable[str]) -> str:
    """Parts of a sentence, those that begin alike put together.

    Example:
        >>> joined(["rises in a", "rises in b", "falls in c"])
        'rises in a and b and falls in c'
    """
    groups: dict[str, list[str]] = {}
    for part in parts:
        how, name = part.rsplit(" in ", 1)
        groups.setdefault(how, []).append(name)
    return listed([f"{how} in {listed(names)}" for how, names in groups.items()])


def listed(words: Sequence[str]) -> str:
    """Words as a list in a sentence.

    Example:
        >>> listed(["a"]), listed(["a", "b", "c"])
        ('a', 'a, b and c')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def unmoved(curves: Sequence[Stored]) -> list[str]:
    """How far Disc moves over the overlap, which it cannot see: a measure of chance."""
    lines = []
    for curve in curves:
        if curve["dial"] == "overlap" and "disc" in (curve["first"], curve["second"]):
            means = [mean(point["scores"]["disc"]["segment_f1"]) for point in curve["points"]]
            lines.append(
                "- Disc reads no names, but the number of words decides which random weights a seed gives: over the "
                f"overlap its mean segment-F1 lies between {min(means):.3f} and {max(means):.3f}, by chance alone."
            )
    return lines


def words_of(result: Stored) -> dict[str, str]:
    """What stands at the marks of ``introduction.md``."""
    curves = [curve for curve in result["curves"] if curve["points"]]
    points = [point for curve in curves for point in curve["points"]]
    made = {name: sorted({fact for point in points for fact in point[name]}) for name in ("commit", "hardware")}
    missing = [f"{title_of(curve)} over {curve['dial']}" for curve in result["curves"] if not curve["points"]]
    intervals = len(points) * len(METRICS)
    return {
        "told": ", ".join(f"{told_by_history(position, ACTIONS):.2f} at {position:g}" for position in (0.0, 0.5, 1.0)),
        "rest": ", ".join(f"{dial} {position:g}" for dial, position in result["rest"].items()),
        "seen": "\n".join([*map(seen_in, curves), *unmoved(curves), *(f"- {title}: not run." for title in missing)]),
        "metrics": " / ".join(NAMES[metric] for metric in METRICS),
        "tables": "\n".join(line for curve in curves for line in table_of(curve)).strip(),
        "variants": str(result["variants"]),
        "seeds": " or ".join(map(str, sorted({len(point["seeds"]) for point in points}))),
        "intervals": str(intervals),
        "missing": f"{intervals / 20:.0f}",
        "failed": f" Failed: {'; '.join(result['failed'])}." if result["failed"] else "",
        "commit": ", ".join(made["commit"]),
        "hardware": ", ".join(made["hardware"]),
    }


def write_document(folder: Path) -> None:
    """Write picture and README.md beside the results."""
    result = json.loads((folder / "results" / "dials.json").read_text(encoding="utf-8"))
    save_picture(draw_curves([curve for curve in result["curves"] if curve["points"]]), folder / "curves.png", dpi=90)
    text = (HERE / "introduction.md").read_text(encoding="utf-8")
    for mark, words in words_of(result).items():
        text = text.replace(f"<!-- {mark} -->", words)
    with atomic_write(folder / "README.md") as part:
        part.write_text(text, encoding="utf-8")

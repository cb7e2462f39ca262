"""Tables and picture of what is stored, written into README.md between its marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rates import FITTED, FIXED, GLOBAL, Cells
from scipy import stats

from gad_lightning.atomic import atomic_write
from gad_lightning.pictures.timelines import save_picture
from gad_lightning.results.tables import read_json

COLORS = {FITTED: "tab:blue", GLOBAL: "tab:orange", FIXED: "tab:gray"}
MARK = r"(<!-- {0} -->\n).*?(\n<!-- end of {0} -->)"
Stored = Mapping[str, Cells]
"""What is stored, by data set."""


def read_stored(folder: Path) -> dict[str, Cells]:
    """All that is stored, in the order of ``decisions.toml`` as it was written."""
    found = [read_json(path) for path in (folder / "results").glob("*.json")]
    return {about["name"]: about for about in sorted(found, key=lambda about: about["order"])}


def rate_of(cells: Cells) -> float:
    """False alarms an hour on test, mean over the classes."""
    return sum(cells["alarms"]) / (cells["hours"] * len(cells["alarms"]))


def cells_at(about: Cells, way: str, stated: float) -> list[Cells]:
    """What a way does in every split."""
    return [
        cells for row in about["rows"] for cells in row["alarms"] if (cells["way"], cells["stated"]) == (way, stated)
    ]


def above(cells: Cells) -> int:
    """Classes whose rate on test is above the stated one."""
    return sum(count > cells["stated"] * cells["hours"] for count in cells["alarms"])


def surely_above(cells: Cells) -> int:
    """Of them, those that chance explains in 1 of 20 cases at most, were the true rate the stated one."""
    return sum(stats.poisson.sf(count - 1, cells["stated"] * cells["hours"]) < 0.05 for count in cells["alarms"])


def span(values: Sequence[float], digits: int = 2) -> str:
    """Mean, and the smallest and largest."""
    return f"{np.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def alarm_lines(stored: Stored, ways: Iterable[str], all_rates: bool = False) -> list[str]:
    """A table of false alarms, at the rate that was chosen for each data set or at all that are stated."""
    lines = [
        "| data, stated | thresholds | rate on test | splits below | classes above, surely | recall | delay, s |",
        f"| --- | --- |{' ---: |' * 5}",
    ]
    rows = [
        (about, stated, way)
        for about in stored.values()
        for stated in (about["rates"] if all_rates else [about["stated"]])
        for way in ways
    ]
    for about, stated, way in rows:
        found = cells_at(about, way, stated)
        late = [cells["median_delay"] for cells in found if cells["median_delay"] is not None]
        parts = (
            f"{about['title']}, {stated:g}",
            way,
            span([rate_of(cells) for cells in found]),
            f"{sum(rate_of(cells) < stated for cells in found)} of {len(found)}",
            f"{sum(map(above, found))} of {sum(len(cells['alarms']) for cells in found)}, "
            f"{sum(map(surely_above, found))}",
            span([cells["recall"] for cells in found]),
            span(late) if late else "-",
        )
        lines.append(f"| {' | '.join(parts)} |")
    return lines


def set_lines(stored: Stored) -> list[str]:
    """The table of label sets: of validation and test as they are, and with both drawn anew."""
    lines = [
        "| data, error | sets | coverage of a video | splits below | videos below | lowest | set size | drawn anew |",
        f"| --- | --- |{' ---: |' * 6}",
    ]
    for about in stored.values():
        for way in about["rows"][0]["sets"]:
            found = [row["sets"][way] for row in about["rows"]]
            means = [float(np.mean(cells["coverage"])) for cells in found]
            videos = np.concatenate([cells["coverage"] for cells in found])
            parts = (
                span(means, 3),
                f"{sum(mean < 1 - about['error'] for mean in means)} of {len(means)}",
                f"{int((videos < 1 - about['error']).sum())} of {len(videos)}",
                f"{videos.min():.2f}",
                f"{np.mean([cells['size'] for cells in found]):.1f}",
                span([row["redrawn"][way]["mean"] for row in about["rows"]], 3),
            )
            lines.append(f"| {about['title']}, {about['error']:g} | {way} | {' | '.join(parts)} |")
    return lines


def draw(stored: Stored) -> Figure:
    """Stated rate against the rate on test; a dot a split."""
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for place, about in enumerate(stored.values()):
        axes = figure.add_subplot(1, len(stored), place + 1)
        least = min(about["rates"]) / 16
        ends = (min(about["rates"]), max(about["rates"]))
        axes.plot(ends, ends, color="black", linewidth=1, label="as stated")
        for number, (way, color) in enumerate(COLORS.items()):
            for stated in about["rates"]:
                rates = [max(least, rate_of(cells)) for cells in cells_at(about, way, stated)]
                shifted = [stated * 1.08 ** (number - 1)] * len(rates)
                axes.plot(shifted, rates, ".", color=color, label=way if stated == ends[0] else None)
        axes.set(xscale="log", yscale="log", title=about["title"], xlabel="stated false alarms/h of a class")
        axes.set_xticks(about["rates"], [f"{rate:g}" for rate in about["rates"]])
        axes.minorticks_off()
        if place == 0:
            axes.set_ylabel("on test")
            axes.legend(fontsize=7)
    return figure


def write_page(folder: Path) -> None:
    """Write the picture, and the tables into README.md."""
    stored = read_stored(folder)
    save_picture(draw(stored), folder / "rates.png", dpi=90)
    text = (folder / "README.md").read_text(encoding="utf-8")
    tables = {
        "alarms": alarm_lines(stored, COLORS),
        "rates": alarm_lines(stored, (FITTED,), all_rates=True),
        "sets": set_lines(stored),
    }
    for name, lines in tables.items():
        table = "\n".join(lines)
        text = re.sub(MARK.format(name), lambda found, made=table: found[1] + made + found[2], text, flags=re.DOTALL)
    with atomic_write(folder / "README.md") as part:
        part.write_text(text, encoding="utf-8")

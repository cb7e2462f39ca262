"""Pictures of accuracy against latency: a point for each variant and baseline, as large as it has weights."""

from __future__ import annotations

import math
from pathlib import Path

from claims import METRICS
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from records import Row, Stored

from gad_lightning.pictures.timelines import save_picture

METRIC = METRICS[0]
KINDS = ("disc", "gad", "gen")
COLORS = {False: "tab:blue", True: "tab:red"}
"""Of variants, and of baselines."""
GAP = 0.07
"""Least distance of two labels, as a share of the axes' height."""
Point = tuple[Row, float, float]
"""A row, its milliseconds and its score."""


def picture_of(data: str, variants: list[Row], baselines: list[Row], latency: Stored) -> list[str]:
    """The lines that show a data set's picture; none without latencies."""
    if not points_of([*variants, *baselines], latency):
        return []
    named = f"labels: baselines, {', '.join(KINDS)} and what nothing else beats in both"
    return [
        f"![{data}: {METRIC} against milliseconds a frame](pareto_{data}.png)",
        "",
        f"Area by weights; {named}.",
        "",
    ]


def points_of(rows: list[Row], latency: Stored) -> list[Point]:
    """Rows whose latency is known."""
    times = latency.get("milliseconds", {})
    return [(row, times[row.name]["median"], row.mean(METRIC)) for row in rows if row.name in times]


def front(points: list[Point]) -> list[Point]:
    """Points that no other beats in one of the two without losing in the other, the fastest first."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (point[1], -point[2])):
        if not kept or point[2] > kept[-1][2]:
            kept.append(point)
    return kept


def spread(heights: list[float], gap: float) -> list[float]:
    """Move ascending heights in [0, 1] apart to the gap, no further than needed.

    Example:
        >>> [round(height, 2) for height in spread([0.5, 0.5, 0.9], 0.1)]
        [0.5, 0.6, 0.9]
        >>> [round(height, 2) for height in spread([0.9, 1.0], 0.2)]
        [0.8, 1.0]
    """
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    ceiling = 1.0
    for index in reversed(range(len(placed))):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return placed


def labeled(points: list[Point]) -> list[Point]:
    """Points that get a label: baselines, the front, and the three kinds of classifier."""
    ahead = {row.name for row, _, _ in front(points)} | set(KINDS)
    return [point for point in points if point[0].is_baseline or point[0].name in ahead]


def draw(data: str, rows: list[Row], latency: Stored, folder: Path) -> None:
    """Draw one data set; labels stand in a column at the right, in the order of their points."""
    points = sorted(points_of(rows, latency), key=lambda point: point[2])
    if not points:
        return
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    FigureCanvasAgg(figure)  # needs no display
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel=f"ms a frame of one live stream, {latency['threads']} thread(s)", ylabel=METRIC, title=data)
    ahead = front(points)
    axes.plot([x for _, x, _ in ahead], [y for _, _, y in ahead], color="0.8", drawstyle="steps-post", zorder=1)
    for row, x, y in points:
        color, size = COLORS[row.is_baseline], 12 * math.sqrt(row.parameters / 1e4)
        axes.scatter([x], [y], s=size, color=color, alpha=0.7, linewidths=0, zorder=2)
    named, (low, high) = labeled(points), axes.get_ylim()
    places = spread([(y - low) / (high - low) for _, _, y in named], GAP)
    for (row, x, y), place in zip(named, places, strict=True):
        axes.annotate(
            f"{row.title}, {row.parameters / 1e6:.2f} M",
            xy=(x, y),
            xytext=(1.05, place),
            textcoords="axes fraction",
            fontsize=8,
            va="center",
            color=COLORS[row.is_baseline],
            arrowprops={"arrowstyle": "-", "color": "0.75", "linewidth": 0.6, "relpos": (0, 0.5), "shrinkB": 3},
        )
    save_picture(figure, folder / f"pareto_{data}.png")

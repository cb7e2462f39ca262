"""Small charts in SVG: lines over an axis, points in the plane, a matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from gad_lightning.report.markup import tag
from gad_lightning.results.rows import Floats, Ints

LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 38


class Line(NamedTuple):
    """One curve: points in data units, and the number of its color."""

    name: str
    points: Sequence[tuple[float, float]]
    color: int
    dots: bool = False
    dashed: bool = False


class Axes(NamedTuple):
    """Ends and names of the two axes, and pixels of the chart."""

    x: tuple[float, float]
    y: tuple[float, float]
    across: str
    up: str
    width: int = 420
    height: int = 260

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Pixel of a point."""
        wide, high = self.width - LEFT - RIGHT, self.height - TOP - BOTTOM
        right, top = max(self.x[1] - self.x[0], 1e-12), max(self.y[1] - self.y[0], 1e-12)
        return LEFT + (x - self.x[0]) / right * wide, TOP + (1 - (y - self.y[0]) / top) * high


def chart(title: str, axes: Axes, lines: Sequence[Line]) -> Element:
    """Curves on a grid, with a title and the values on hover."""
    picture = _frame(axes, title)
    for line in lines:
        points = [(x, y) for x, y in line.points if math.isfinite(x) and math.isfinite(y)]
        places = [axes.place(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        style = f"line c{line.color % 8}" + (" dashed" if line.dashed else "")
        picture.append(tag("polyline", tag("title", line.name), points=path, class_=style))
        if line.dots:
            for (x, y), (across, up) in zip(places, points, strict=True):
                about = tag("title", f"{line.name}: {across:.3g}, {up:.3g}")
                picture.append(tag("circle", about, cx=x, cy=y, r=3.5, class_=f"dot c{line.color % 8}"))
    return tag("figure", tag("figcaption", title), picture)


def _frame(axes: Axes, title: str) -> Element:
    """Grid, marks and names of the axes."""
    box = f"0 0 {axes.width} {axes.height}"
    picture = tag("svg", viewBox=box, width=axes.width, class_="chart", role="img", aria_label=title)
    for value in _marks(*axes.x):
        x, bottom = axes.place(value, axes.y[0])
        _, top = axes.place(value, axes.y[1])
        picture.append(tag("line", x1=x, x2=x, y1=top, y2=bottom, class_="grid"))
        picture.append(tag("text", f"{value:g}", x=x, y=bottom + 15, text_anchor="middle"))
    for value in _marks(*axes.y):
        left, y = axes.place(axes.x[0], value)
        right, _ = axes.place(axes.x[1], value)
        picture.append(tag("line", x1=left, x2=right, y1=y, y2=y, class_="grid"))
        picture.append(tag("text", f"{value:g}", x=left - 6, y=y + 4, text_anchor="end"))
    middle = (LEFT + axes.width - RIGHT) / 2
    picture.append(tag("text", axes.across, x=middle, y=axes.height - 4, text_anchor="middle", class_="name"))
    turned = f"rotate(-90 11 {axes.height / 2 - 10:.0f})"
    picture.append(
        tag("text", axes.up, x=11, y=axes.height / 2 - 10, transform=turned, text_anchor="middle", class_="name")
    )
    return picture


def _marks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers from ``low`` to ``high``.

    Example:
        >>> _marks(0, 1)
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(step * count, 10) for count in range(first, math.floor(high / step + 1e-9) + 1)]


def scatter(title: str, places: Floats, kinds: Ints, names: Sequence[str]) -> Element:
    """Points of several classes, (M, 2), without axes."""
    low, high = places.min(0), places.max(0)
    unit = (places - low) / np.maximum(high - low, 1e-12)
    picture = tag("svg", viewBox="0 0 420 420", width=420, class_="chart", role="img", aria_label=title)
    order = np.argsort(-np.bincount(kinds)[kinds], kind="stable")  # rare classes on top
    for (x, y), kind in zip(unit[order].tolist(), kinds[order].tolist(), strict=True):
        point = tag("circle", tag("title", names[kind]), cx=10 + 400 * x, cy=10 + 400 * y, r=3, class_=f"k{kind}")
        picture.append(point)
    return tag("figure", tag("figcaption", title), picture)


def _cut_short(name: str, letters: int = 30) -> str:
    """A name that fits beside a matrix.

    Example:
        >>> _cut_short("stir", 3)
        'st...'
    """
    return name if len(name) <= letters else name[: letters - 1] + "..."


def matrix(title: str, confusion: Ints, names: Sequence[str], chosen: Sequence[int]) -> Element:
    """Confusions of some classes: each row the frames of a true class, darker for a larger share of it."""
    size = min(30, max(16, 420 // max(len(chosen), 1)))
    shown = {index: _cut_short(names[index]) for index in chosen}
    room = 8 + 6 * max(map(len, shown.values()), default=0)
    side = room + size * len(chosen) + 8
    picture = tag(
        "svg", width=side, height=side, viewBox=f"0 0 {side} {side}", class_="matrix", role="img", aria_label=title
    )
    totals = confusion.sum(1)
    for row, truth in enumerate(chosen):
        middle = room + size * row + size // 2 + 4
        picture.append(tag("text", shown[truth], x=room - 6, y=middle, text_anchor="end"))
        turned = f"rotate(-90 {middle} {room - 6})"
        picture.append(tag("text", shown[truth], x=middle, y=room - 6, transform=turned))
        for column, found in enumerate(chosen):
            frames = int(confusion[truth, found])
            share = frames / max(int(totals[truth]), 1)
            about = f"{names[truth]}, predicted {names[found]}: {frames} frames, {share:.0%}"
            kind = "none" if not frames else "right" if truth == found else "wrong"
            cell = {"x": room + size * column, "y": room + size * row, "width": size - 1, "height": size - 1}
            shade = None if not frames else round(0.12 + 0.88 * share, 3)
            picture.append(tag("rect", tag("title", about), **cell, fill_opacity=shade, class_=kind))
    return tag("figure", tag("div", picture, class_="scroll", tabindex="0"))

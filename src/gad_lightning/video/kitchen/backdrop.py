"""What stays the same all through one kitchen video: table, cloth, wall, clutter, light and the cook's hands."""

from __future__ import annotations

import colorsys
from typing import NamedTuple

import numpy as np
from PIL import Image

from gad_lightning.video.kitchen.kitchen import KITCHEN_GOALS, VESSELS, Script
from gad_lightning.video.kitchen.sketch import PORCELAIN, SHADOW, WOOD, Color, Cook, Point, Sketch, blend

SKINS: tuple[Color, ...] = ((236, 188, 150), (198, 140, 100), (142, 92, 62), (246, 206, 176), (110, 70, 48))
CLOTH_HUES: dict[str, float] = {
    "make tea": 0.30,
    "make coffee": 0.35,
    "make pancakes": 0.56,
    "bake bread": 0.61,
    "cook soup": 0.09,
    "cook jam": 0.93,
    "make salad": 0.88,
}
"""Hue of the table cloth that goes with a goal, give or take: a hint, not a proof."""


class Setting(NamedTuple):
    """The fixed part of one video."""

    backdrop: Image.Image  # drawn at twice the size of the video
    with_card: Image.Image  # the same while the goal's card lies on the table
    vessel: str
    center: Point  # of the vessel
    cook: Cook
    light: float  # gain, about 1
    tint: tuple[float, float, float]  # gain per color, about 1


def _color_of(hue: float, saturation: float, value: float) -> Color:
    """Turn hue, saturation and value, each in [0, 1], into a color."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def set_up(script: Script, seed: int, rng: np.random.Generator, size: int) -> Setting:
    """Lay the table for one script.

    Args:
        script: whose goal and cook count.
        seed: seed of the whole kitchen; a cook looks the same in all videos of it.
        rng: the video's own chance.
        size: height and width of the video in pixels.
    """
    hands = np.random.default_rng([seed, 9000 + script.cook])
    cook = Cook(SKINS[int(hands.integers(len(SKINS)))], _color_of(hands.random(), 0.65, 0.3 + 0.6 * hands.random()))
    backdrop = Image.new("RGB", (2 * size, 2 * size))
    sketch = Sketch(backdrop)
    _draw_table(sketch, CLOTH_HUES[script.goal] + rng.normal(0.0, 0.035), rng)
    with_card = backdrop.copy()
    _draw_card(Sketch(with_card), script.goal)
    center = (0.46 + rng.uniform(-0.035, 0.035), 0.66 + rng.uniform(-0.03, 0.03))
    tint = tuple(rng.uniform(0.93, 1.07, 3).tolist())
    return Setting(backdrop, with_card, VESSELS[script.goal], center, cook, rng.uniform(0.82, 1.12), tint)


def _draw_table(sketch: Sketch, hue: float, rng: np.random.Generator) -> None:
    """Draw the wall with its shelf, the striped cloth and some clutter that means nothing."""
    sketch.box((-0.1, -0.1), (1.1, 0.3), (226, 222, 212), 0.0)
    for tile in range(7):
        sketch.line([(tile / 6 + 0.02, 0.0), (tile / 6 + 0.02, 0.28)], 0.006, (202, 198, 188))
    sketch.box((-0.1, 0.27), (1.1, 0.34), blend(WOOD, SHADOW, 0.35), 0.0)
    cloth = _color_of(hue, 0.42, 0.8)
    sketch.box((-0.1, 0.31), (1.1, 1.1), cloth, 0.0)
    for stripe in range(8):
        left = stripe / 7 - 0.02
        sketch.line([(left, 0.32), (left, 1.1)], 0.03, blend(cloth, (255, 255, 255), 0.28))
    for place in (0.5, 0.68, 0.86):  # jars on the shelf
        if rng.random() < 0.7:
            jar = _color_of(rng.random(), 0.5, 0.75)
            top = rng.uniform(0.04, 0.14)
            sketch.box((place, top), (place + 0.11, 0.28), jar, 0.03, SHADOW)
            sketch.box((place + 0.015, top - 0.025), (place + 0.095, top + 0.02), WOOD, 0.01)
    if rng.random() < 0.5:  # a plate at the edge
        spot = (rng.choice([0.04, 0.97]), rng.uniform(0.85, 1.0))
        sketch.disc(spot, 0.13, PORCELAIN, (170, 170, 166))
        sketch.disc(spot, 0.08, blend(PORCELAIN, SHADOW, 0.12))


def _draw_card(sketch: Sketch, goal: str) -> None:
    """Draw the recipe card of a goal: one bold color and a picture that differ from goal to goal."""
    number = KITCHEN_GOALS.index(goal)
    color = _color_of(number * 3 / len(KITCHEN_GOALS), 0.9, 0.85)
    sketch.box((0.05, 0.035), (0.37, 0.3), SHADOW, 0.02)
    sketch.box((0.04, 0.02), (0.36, 0.285), (255, 253, 246), 0.02, (120, 116, 108))
    sketch.box((0.06, 0.04), (0.34, 0.17), color, 0.01)
    for mark in range(number + 1):
        sketch.disc((0.085 + 0.038 * mark, 0.105), 0.014, (255, 255, 255))
    for row in range(3):
        sketch.line([(0.07, 0.195 + 0.028 * row), (0.32 - 0.05 * row, 0.195 + 0.028 * row)], 0.01, (150, 146, 140))

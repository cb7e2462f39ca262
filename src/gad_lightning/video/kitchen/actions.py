"""How each verb looks: one function a verb draws one moment of it over the table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from gad_lightning.video.kitchen.sketch import (
    COLORS,
    STEEL,
    WOOD,
    Color,
    Cook,
    Point,
    Sketch,
    blend,
)


class Pose(NamedTuple):
    """What stands on the table and how far the action has come."""

    vessel: str
    center: Point  # of the vessel
    contents: Color | None
    pieces: tuple[Color, ...]
    cook: Cook
    material: str
    seconds: float  # since the action began
    done: float  # share of the action, in [0, 1]
    sway: Point  # where the hand is off its usual place
    speed: float  # cycles a second


def _table(sketch: Sketch, now: Pose) -> None:
    """Draw the vessel."""
    sketch.vessel(now.vessel, now.center, now.contents, now.pieces)


def _add(sketch: Sketch, now: Pose) -> None:
    """Bring something over the vessel and let it fall in, again and again."""
    _table(sketch, now)
    (x, y), color = now.center, COLORS[now.material]
    phase = (now.seconds * now.speed * 0.45) % 1.0
    reach = math.sin(math.pi * min(phase / 0.4, 1.0) / 2) * (1.0 if phase < 0.75 else (1.0 - phase) / 0.25)
    head = (x + 0.3 - 0.27 * reach + now.sway[0], y - 0.02 - 0.12 * reach + now.sway[1])
    falling = 0.3 < phase < 0.75
    if falling:
        for drop in range(7):
            fall = (phase * 6 + drop * 0.37) % 1.0
            sketch.disc((head[0] + 0.022 * math.sin(drop * 2.1), head[1] + 0.03 + 0.13 * fall), 0.013, color)
    if "powder" in now.material:
        sketch.jar((0.02, 0.5))
        grip = (head[0] + 0.19, head[1] + 0.12)
        sketch.spoon(head, grip, color if phase < 0.6 else None)
        sketch.hand(now.cook, grip)
    elif now.material == "yolk":
        grip = (head[0] + 0.07, head[1] + 0.02)
        sketch.hand(now.cook, grip)
        sketch.oval(head, 0.05, 0.065, (240, 220, 196), (150, 120, 90))
        if falling:
            sketch.line([(head[0] - 0.04, head[1] + 0.01), (head[0] + 0.04, head[1] - 0.01)], 0.012, (90, 60, 40))
    else:
        grip = (head[0] + 0.12, head[1] + 0.05)
        sketch.box((head[0] - 0.06, head[1] - 0.05), (head[0] + 0.2, head[1] + 0.03), WOOD, 0.02)
        for piece in range(4):
            sketch.disc((head[0] - 0.03 + 0.045 * piece, head[1] - 0.03), 0.028, color, (90, 50, 30))
        sketch.hand(now.cook, grip)


def _stir(sketch: Sketch, now: Pose) -> None:
    """Turn a spoon round in the vessel."""
    _table(sketch, now)
    (x, y), angle = now.center, now.seconds * now.speed * 2 * math.pi
    radius = 0.06 if now.vessel == "cup" else 0.11
    head = (x + radius * math.cos(angle) + now.sway[0] / 2, y + 0.8 * radius * math.sin(angle))
    if now.contents:
        light = blend(now.contents, (255, 255, 255), 0.35)
        trail = [
            (x + radius * math.cos(angle - back), y + 0.8 * radius * math.sin(angle - back))
            for back in (0.4, 0.9, 1.4, 1.9)
        ]
        sketch.line(trail, 0.014, light)
    grip = (head[0] + 0.14, head[1] - 0.1)
    sketch.hand(now.cook, (x - 0.24, y + 0.1), side=-1)
    sketch.spoon(head, grip, None)
    sketch.hand(now.cook, grip)


def _pour(sketch: Sketch, now: Pose) -> None:
    """Tilt a jug over the vessel."""
    _table(sketch, now)
    (x, y), color = now.center, COLORS[now.material]
    tilt = 0.75 * math.sin(math.pi * min(1.0, now.done * 1.15) ** 0.7) + 0.05 * math.sin(now.seconds * now.speed * 5)
    lip = (x + 0.06 + now.sway[0], y - 0.24 + now.sway[1])
    if tilt > 0.3:
        sketch.line([lip, (x + 0.01 + now.sway[0], y + 0.02)], 0.03, color)
        sketch.disc((x + 0.01 + now.sway[0], y + 0.02), 0.04, blend(color, (255, 255, 255), 0.3))
    sketch.jug(lip, tilt, color)
    sketch.hand(now.cook, (lip[0] + 0.23, lip[1] + 0.12))


def _cut(sketch: Sketch, now: Pose) -> None:
    """Cut food on a board; the vessel is pushed out of sight."""
    sketch.box((0.14, 0.44), (0.84, 0.88), (120, 84, 52), 0.04)
    sketch.box((0.14, 0.42), (0.84, 0.86), WOOD, 0.04, (140, 100, 60))
    color, left = COLORS[now.material], 1.0 - 0.75 * now.done
    beat = abs(math.sin(now.seconds * now.speed * math.pi * 1.4))
    edge = 0.33 + 0.24 * left + now.sway[0]
    for piece in range(int(now.done * 9)):
        spot = (edge + 0.09 + 0.055 * (piece % 4), 0.6 + 0.06 * (piece // 4) + 0.012 * (piece % 2))
        sketch.disc(spot, 0.03, blend(color, (255, 255, 255), 0.15), (120, 60, 30))
    if color == COLORS["orange food"]:
        sketch.food((0.42, 0.64), color, left)
    else:
        sketch.oval((0.33 + 0.1 * left, 0.64), 0.03 + 0.09 * left, 0.1, color, blend(color, (0, 0, 0), 0.4))
    sketch.hand(now.cook, (0.25, 0.7), side=-1)
    tip, grip = (edge + 0.01, 0.55 - 0.1 * beat), (edge + 0.2, 0.72 - 0.1 * beat)
    sketch.knife(tip, grip)
    sketch.hand(now.cook, grip)


def _wash(sketch: Sketch, now: Pose) -> None:
    """Turn food under a running tap; the vessel is out of sight."""
    sketch.box((0.16, 0.34), (0.86, 0.92), (120, 126, 132), 0.08)
    sketch.box((0.2, 0.38), (0.82, 0.88), (204, 212, 218), 0.07)
    sketch.oval((0.51, 0.68), 0.24, 0.16, (168, 208, 230))
    rub = math.sin(now.seconds * now.speed * 2 * math.pi)
    x, y = 0.5 + 0.035 * rub + now.sway[0], 0.66 + now.sway[1]
    sketch.hand(now.cook, (x - 0.11, y + 0.07), side=-1)
    sketch.food((x, y), COLORS[now.material])
    sketch.line([(0.5, 0.36), (0.5, y - 0.06)], 0.035, (186, 222, 242))
    for drop in range(5):
        flight = (now.seconds * 2.3 + drop * 0.23) % 1.0
        sketch.disc((0.5 + (drop - 2) * 0.07 * flight, y - 0.05 + 0.14 * flight * flight), 0.014, (214, 236, 248))
    sketch.line([(0.5, 0.18), (0.5, 0.36)], 0.06, STEEL)
    sketch.hand(now.cook, (x + 0.1, y + 0.04 + 0.02 * rub))


def _rest(sketch: Sketch, now: Pose) -> None:
    """Do nothing: hands away, or idling at the edge as ``done`` says (a pose drawn anew for each pause)."""
    _table(sketch, now)
    if now.done > 0.45:
        wave = 0.03 * math.sin(now.seconds * 2.2)
        sketch.hand(now.cook, (0.86 + wave + now.sway[0], 0.8 - 0.1 * now.done + now.sway[1]))
    if now.done > 0.8:
        sketch.hand(now.cook, (0.12 - now.sway[0], 0.82), side=-1)


VERBS: dict[str, Callable[[Sketch, Pose], None]] = {
    "add": _add,
    "stir": _stir,
    "pour": _pour,
    "cut": _cut,
    "wash": _wash,
    "rest": _rest,
}
"""What draws each verb; ``rest`` is the background."""

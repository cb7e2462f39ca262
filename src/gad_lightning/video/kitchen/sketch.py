"""Draws the things of a kitchen table with PIL: vessels, food, tools and hands, seen from above.

Coordinates are shares of the picture, (0, 0) top left and (1, 1) bottom right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

Color = tuple[int, int, int]
Point = tuple[float, float]

STEEL: Color = (176, 182, 190)
PORCELAIN: Color = (240, 240, 236)
WOOD: Color = (196, 148, 96)
SHADOW: Color = (92, 74, 58)
COLORS: dict[str, Color] = {
    "white powder": (250, 248, 244),
    "brown powder": (92, 56, 30),
    "white liquid": (246, 242, 232),
    "blue liquid": (150, 198, 226),
    "yellow liquid": (224, 196, 64),
    "yolk": (248, 190, 40),
    "orange food": (240, 132, 36),
    "red food": (206, 44, 40),
}


class Cook(NamedTuple):
    """Whose hands they are."""

    skin: Color
    sleeve: Color


def blend(first: Color, second: Color, share: float) -> Color:
    """Mix two colors: 0 gives the first, 1 the second."""
    mixed = [round(a + (b - a) * share) for a, b in zip(first, second, strict=True)]
    return mixed[0], mixed[1], mixed[2]


class Sketch:
    """A picture to draw on, drawn larger than asked and shrunk at the end, so that edges are smooth.

    Args:
        picture: square background at the drawing size.
        shift: where the camera's trembling moves everything that is drawn.
    """

    def __init__(self, picture: Image.Image, shift: Point = (0.0, 0.0)) -> None:
        self.picture = picture
        self.pen = ImageDraw.Draw(picture)
        self.scale = picture.width
        self.shift = shift

    def at(self, point: Point) -> Point:
        """Turn shares into pixels."""
        return (point[0] + self.shift[0]) * self.scale, (point[1] + self.shift[1]) * self.scale

    def oval(self, center: Point, wide: float, high: float, fill: Color, rim: Color | None = None) -> None:
        """Draw an oval of half-axes ``wide`` and ``high``."""
        (x, y), dx, dy = self.at(center), wide * self.scale, high * self.scale
        self.pen.ellipse((x - dx, y - dy, x + dx, y + dy), fill=fill, outline=rim, width=max(1, self.scale // 96))

    def disc(self, center: Point, radius: float, fill: Color, rim: Color | None = None) -> None:
        """Draw a disc."""
        self.oval(center, radius, radius, fill, rim)

    def line(self, points: Sequence[Point], width: float, fill: Color) -> None:
        """Draw a line with round ends."""
        pixels = [self.at(point) for point in points]
        self.pen.line(pixels, fill=fill, width=max(1, round(width * self.scale)), joint="curve")
        if width > 0.015:
            for end in (points[0], points[-1]):
                self.disc(end, width / 2, fill)

    def shape(self, points: Sequence[Point], fill: Color, rim: Color | None = None) -> None:
        """Draw a polygon."""
        self.pen.polygon([self.at(point) for point in points], fill=fill, outline=rim)

    def box(self, low: Point, high: Point, fill: Color, round_by: float = 0.02, rim: Color | None = None) -> None:
        """Draw a box with round corners."""
        self.pen.rounded_rectangle((*self.at(low), *self.at(high)), round_by * self.scale, fill=fill, outline=rim)

    def vessel(self, kind: str, center: Point, contents: Color | None, pieces: Sequence[Color]) -> None:
        """Draw a cup, bowl or pot with its contents and the pieces of food that lie in it."""
        x, y = center
        radius = {"cup": 0.15, "bowl": 0.23, "pot": 0.22}[kind]
        wall = {"cup": PORCELAIN, "bowl": (104, 140, 172), "pot": (72, 76, 84)}[kind]
        self.oval((x + 0.02, y + 0.025), radius * 1.04, radius * 0.94, SHADOW)
        if kind == "cup":
            self.line([(x - radius, y - 0.03), (x - radius - 0.07, y), (x - radius, y + 0.04)], 0.035, wall)
        if kind == "pot":
            for side in (-1, 1):
                self.line([(x + side * radius, y), (x + side * (radius + 0.06), y)], 0.06, (40, 42, 46))
        self.oval(center, radius, radius * 0.9, wall, blend(wall, (0, 0, 0), 0.35))
        inside = contents or blend(wall, (255, 255, 255), 0.35)
        self.oval(center, radius * 0.83, radius * 0.74, inside, blend(inside, (0, 0, 0), 0.2))
        for number, color in enumerate(pieces):
            angle, out = number * 2.4, radius * (0.15 + 0.09 * (number % 5))
            self.disc((x + out * math.cos(angle), y + out * math.sin(angle) * 0.85), 0.032, color, SHADOW)

    def hand(self, cook: Cook, palm: Point, side: int = 1) -> None:
        """Draw an arm from the lower edge to ``palm``; ``side`` is 1 for the right hand, -1 for the left."""
        x, y = palm
        elbow, wrist = (x + side * 0.3, 1.1), (x + side * 0.05, y + 0.09)
        self.line([elbow, wrist], 0.105, blend(cook.skin, (0, 0, 0), 0.12))
        cuff = (wrist[0] + (elbow[0] - wrist[0]) * 0.4, wrist[1] + (elbow[1] - wrist[1]) * 0.4)
        self.line([elbow, cuff], 0.16, cook.sleeve)
        for finger in range(4):
            tip = (x - side * (0.055 - 0.03 * finger), y - 0.055 - 0.014 * (1.5 - abs(finger - 1.5)))
            self.line([(x - side * (0.03 - 0.018 * finger), y), tip], 0.033, cook.skin)
        self.oval((x + side * 0.01, y + 0.03), 0.062, 0.06, cook.skin)
        self.line([(x - side * 0.04, y + 0.05), (x - side * 0.085, y + 0.0)], 0.032, cook.skin)

    def spoon(self, head: Point, grip: Point, load: Color | None) -> None:
        """Draw a spoon from the hand at ``grip`` to its ``head``, heaped with ``load`` or empty."""
        self.line([grip, head], 0.026, STEEL)
        self.oval(head, 0.055, 0.045, STEEL, (110, 114, 120))
        if load:
            self.oval((head[0], head[1] - 0.012), 0.043, 0.036, load, blend(load, (0, 0, 0), 0.25))

    def jar(self, corner: Point) -> None:
        """Draw the plain jar that powders come from: it looks the same for all of them."""
        x, y = corner
        self.box((x, y), (x + 0.17, y + 0.2), (206, 214, 214), 0.03, (130, 138, 140))
        self.box((x + 0.02, y - 0.035), (x + 0.15, y + 0.025), WOOD, 0.02, SHADOW)

    def jug(self, lip: Point, tilt: float, fill: Color) -> None:
        """Draw a jug whose lip is at ``lip``, tilted by ``tilt`` radians over the vessel."""
        x, y = lip
        cos, sin = math.cos(tilt), math.sin(tilt)
        body = [(0.0, 0.0), (0.2, 0.03), (0.21, 0.2), (0.03, 0.2)]
        turned = [(x + a * cos + b * sin, y - a * sin + b * cos) for a, b in body]
        self.shape(turned, blend(fill, (255, 255, 255), 0.3), SHADOW)
        band = [
            (x + a * cos + b * sin, y - a * sin + b * cos)
            for a, b in [(0.015, 0.07), (0.2, 0.07), (0.205, 0.2), (0.03, 0.2)]
        ]
        self.shape(band, fill)
        self.line([turned[1], (turned[1][0] + 0.05, turned[1][1] + 0.06), turned[2]], 0.025, STEEL)

    def food(self, center: Point, color: Color, share: float = 1.0) -> None:
        """Draw a fruit or vegetable, cut down to ``share`` of its length from the right."""
        x, y = center
        if color == COLORS["orange food"]:
            tip, end = x - 0.15, x - 0.15 + 0.28 * share
            self.shape([(tip, y), (end, y - 0.045), (end, y + 0.045)], color, SHADOW)
            return
        self.disc(center, 0.105, color, blend(color, (0, 0, 0), 0.4))
        self.disc((x - 0.035, y - 0.04), 0.025, blend(color, (255, 255, 255), 0.6))
        self.line([(x, y - 0.07), (x + 0.02, y - 0.12)], 0.02, (74, 110, 48))

    def knife(self, tip: Point, grip: Point) -> None:
        """Draw a knife from the hand at ``grip`` to its ``tip``."""
        middle = (tip[0] + (grip[0] - tip[0]) * 0.72, tip[1] + (grip[1] - tip[1]) * 0.72)
        self.line([grip, middle], 0.04, (60, 44, 36))
        self.shape(
            [tip, (middle[0] - 0.05, middle[1] - 0.01), (middle[0] + 0.03, middle[1] + 0.02)], (214, 218, 224), SHADOW
        )

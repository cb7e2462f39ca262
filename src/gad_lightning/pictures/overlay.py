"""Labels, scores and a running timeline under the pictures of a video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from gad_lightning.errors import SettingError
from gad_lightning.pictures.timelines import color_of
from gad_lightning.schema import LabelSet, normalized
from gad_lightning.segments import lanes_of

PAPER, INK, SOFT, LANE = (22, 24, 26), (230, 231, 232), (154, 160, 166), (51, 55, 59)
SPAN = 60.0
"""Seconds of a video that its timeline shows at once; a longer one runs past the line in the middle."""
SMALLEST = 13
"""Pixels of letters, at least."""
TICKS = (1, 2, 5, 10, 15, 30, 60)
"""Seconds between two marks."""


class Stretch(NamedTuple):
    """What is labeled from one time to another."""

    start: float  # seconds
    end: float  # seconds, exclusive
    label: int  # index into the classes
    score: float | None = None  # probability in [0, 1], None where a person labeled


class Row(NamedTuple):
    """One timeline."""

    name: str
    stretches: Sequence[Stretch]  # they may overlap


class Overlay:
    """Draws under a picture, per row, what is labeled now and a timeline that a line marks the time on.

    Args:
        rows: from top to bottom.
        labels: the classes.
        seconds: length of the video.
        font: file of a TrueType font, for letters that DejaVu Sans lacks, such as Chinese ones.

    Raises:
        SettingError: if ``font`` cannot be read.
    """

    def __init__(self, rows: Sequence[Row], labels: LabelSet, seconds: float, font: Path | None = None) -> None:
        self.rows, self.labels, self.seconds = rows, labels, max(seconds, 1e-3)
        self.font = font or Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
        self.lanes = [lanes_of((one.start, one.end) for one in row.stretches) for row in rows]
        self.nothing = "no label" if labels.background is None else labels.names[labels.background]
        self.fonts: dict[int, ImageFont.FreeTypeFont] = {}
        self._letters(SMALLEST)

    def __call__(self, seconds: float, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give the picture of a time with the drawing under it: (H, W, 3) -> (H + h, W, 3), h by W and the rows."""
        width = picture.shape[1]
        size = max(SMALLEST, width // 45)
        step, margin = round(3.6 * size), size // 2
        panel = Image.new("RGB", (width, step * len(self.rows) + 2 * margin + size), PAPER)
        draw = ImageDraw.Draw(panel)
        span = min(self.seconds, SPAN)
        begin = min(max(seconds - span / 2, 0.0), self.seconds - span)
        scale = (width - 2 * margin) / span
        now, thick = round(margin + (seconds - begin) * scale), max(1, size // 12)
        for place, row in enumerate(self.rows):
            self._write(draw, row, seconds, margin, margin + place * step, width, size)
            top = margin + place * step + round(1.7 * size)
            draw.rectangle((margin, top, width - margin, top + round(1.4 * size)), LANE)
            high = 1.4 * size / (max(self.lanes[place], default=0) + 1)
            for lane, one in zip(self.lanes[place], row.stretches, strict=True):
                if one.end > begin and one.start < begin + span:
                    left = margin + (max(one.start, begin) - begin) * scale
                    right = margin + (min(one.end, begin + span) - begin) * scale
                    box = (round(left), round(top + lane * high), max(round(left), round(right) - 1))
                    draw.rectangle((*box, round(top + (lane + 1) * high)), self._color(one.label))
            draw.rectangle((now - thick, top - size // 4, now + thick, top + round(1.65 * size)), INK)
        self._marks(draw, begin, span, margin, margin + step * len(self.rows), scale, size)
        return np.concatenate([picture, np.asarray(panel)])

    def _write(
        self, draw: ImageDraw.ImageDraw, row: Row, seconds: float, left: int, top: int, width: int, size: int
    ) -> None:
        """What a row says now; on the right of the first, the time."""
        font = self._letters(size)
        draw.text((left, top), row.name, SOFT, font)
        at = left + max(round(font.getlength(other.name)) for other in self.rows) + size
        room = width - left
        if row is self.rows[0]:
            clock = f"{int(seconds) // 60}:{seconds % 60:04.1f}"
            room -= round(font.getlength(clock)) + size
            draw.text((width - left - round(font.getlength(clock)), top), clock, SOFT, font)
        here = [one for one in row.stretches if one.start <= seconds < one.end]
        for one in here:
            draw.rectangle((at, top + size // 6, at + size, top + size // 6 + size), self._color(one.label))
            said = normalized(self.labels.names[one.label]) + ("" if one.score is None else f"  {one.score:.2f}")
            at += round(1.4 * size)
            at += self._fitted(draw, said, (at, top), room - at, INK, font) + size
        if not here:
            self._fitted(draw, self.nothing, (at, top), room - at, SOFT, font)

    def _fitted(
        self,
        draw: ImageDraw.ImageDraw,
        text: str,
        place: tuple[int, int],
        room: int,
        color: tuple[int, int, int],
        font: ImageFont.FreeTypeFont,
    ) -> int:
        """Write a text, or as much of it as there is room for; gives its width."""
        while text and font.getlength(text) > room:
            text = text[:-2] + "…" if len(text) > 1 else ""
        draw.text(place, text, color, font)
        return round(font.getlength(text))

    def _marks(
        self, draw: ImageDraw.ImageDraw, begin: float, span: float, left: int, top: int, scale: float, size: int
    ) -> None:
        """Seconds under the rows."""
        font = self._letters(max(SMALLEST - 3, size * 2 // 3))
        step = next((step for step in TICKS if step * scale >= 5 * size), TICKS[-1])
        for mark in range(-(-int(begin) // step) * step, int(begin + span) + 1, step):
            if mark >= begin:
                text = f"{mark // 60}:{mark % 60:02d}"
                at = min(left + round((mark - begin) * scale), left + round(span * scale - font.getlength(text)))
                draw.text((at, top + size // 4), text, SOFT, font)

    def _color(self, label: int) -> tuple[int, int, int]:
        """The color of a class, as in every picture."""
        red, green, blue = color_of(label, self.labels)
        return round(255 * red), round(255 * green), round(255 * blue)

    def _letters(self, size: int) -> ImageFont.FreeTypeFont:
        """The font at a size, read once."""
        if size not in self.fonts:
            try:
                self.fonts[size] = ImageFont.truetype(self.font, size)
            except OSError as error:
                raise SettingError(
                    f"{self.font} is no font that can be read: {error}.", "give a .ttf or .otf file"
                ) from error
        return self.fonts[size]

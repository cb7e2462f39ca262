"""A CSV file a video with a row a frame and a column of 0 and 1 a class, as lightning-action has it."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from io import StringIO
from itertools import pairwise

from gad_lightning.data.formats.base import AnnotationFormat, LabeledVideo, Reading
from gad_lightning.data.formats.source import Source, number
from gad_lightning.errors import DataError

_INDEX = ("", "frame", "frames", "frame_index", "index", "unnamed: 0")
BACKGROUND = "background"


class FrameTable(AnnotationFormat):
    """Runs of 1 in the columns of classes; ``background`` is no class. The frame rate is not in the file."""

    name = "frames"
    title = "per-frame CSV"
    ending = ".frames.csv"
    one_video = True
    sharpness = "frame"

    def recognizes(self, source: Source) -> bool:
        """By its first column and by cells that are 0 or 1."""
        rows = source.table[1:6]
        width = len(source.header)
        marks = {number(cell) for row in rows for cell in row[1:width]}
        return width > 1 and source.header[0] in _INDEX and bool(rows) and marks <= {0.0, 1.0}

    def read(self, source: Source, reading: Reading) -> None:
        """Take the runs of every class; frames count from the number of the first row.

        Raises:
            DataError: if frames are not numbered one after another.
        """
        names, rows = source.table[0], [row for row in source.table[1:] if any(row)]
        counts = [number(row[0]) for row in rows]
        steps = {after - before for before, after in pairwise(counts)}
        if len(steps) > 1 or not all(step > 0 for step in steps):
            raise DataError(
                f"{source.path} does not number its frames one after another: {', '.join(row[0] for row in rows[:5])}.",
                "write a row a frame, its number in the first column",
            )
        rate = reading.rate("") / next(iter(steps), 1.0)
        if counts and counts[0] == 1:
            reading.say("frames begin at 1")
        for column, label in enumerate(names[1:], 1):
            if label.lower() == BACKGROUND:
                continue
            begun = -1
            for place in range(len(rows) + 1):
                shown = place < len(rows) and column < len(rows[place]) and number(rows[place][column]) == 1
                if shown and begun < 0:
                    begun = place
                elif not shown and begun >= 0:
                    reading.add("", begun / rate, place / rate, label, f"line {begun + 2}")
                    begun = -1

    def write(self, videos: Sequence[LabeledVideo]) -> str:
        """A row a frame of ``fps``, up to the end of the video as far as that is known."""
        (video,) = videos
        names = sorted({found.label for found in video.annotations})
        shown: list[set[str]] = [set() for _ in range(math.ceil(video.length * video.fps - 1e-6))]
        for found in video.annotations:
            first = min(round(found.start * video.fps), len(shown) - 1)
            for frame in range(first, max(first + 1, min(round(found.end * video.fps), len(shown)))):
                shown[frame].add(found.label)
        text = StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(("", BACKGROUND, *names))
        for frame, labels in enumerate(shown):
            table.writerow((frame, int(not labels), *(int(name in labels) for name in names)))
        return text.getvalue()


FORMAT = FrameTable()

"""WebVTT: subtitles that players and browsers show beside a video; a cue is a stretch, its text the label."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from gad_lightning.data.formats.base import AnnotationFormat, LabeledVideo, Reading
from gad_lightning.data.formats.source import Source, number

_ARROW = "-->"
_TIMES = re.compile(rf"^\s*(\S+?)\s*{_ARROW}\s*(\S+)(\s.*)?$", re.ASCII)
_TAGS = re.compile(r"<[^>]*>")


class WebVTT(AnnotationFormat):
    """Subtitles of the web; scores are not kept."""

    name = "webvtt"
    title = "WebVTT"
    ending = ".vtt"
    one_video = True
    sharpness = "millisecond"
    first: ClassVar[str] = "WEBVTT\n\n"
    point: ClassVar[str] = "."
    """What stands before the milliseconds."""

    def recognizes(self, source: Source) -> bool:
        """By its first word."""
        return source.text.lstrip().startswith("WEBVTT")

    def read(self, source: Source, reading: Reading) -> None:
        """Take the cues; the video has the file's name."""
        for line, start, end, text in _cues(source.text):
            reading.add("", number(start), number(end), self.label_of(text), f"line {line}")

    def write(self, videos: Sequence[LabeledVideo]) -> str:
        """A cue for each stretch, numbered, in time order."""
        (video,) = videos
        order = sorted(video.annotations, key=lambda found: (found.start, found.end))
        cues = (
            f"{place}\n{self._clock(found.start)} --> {self._clock(found.end)}\n{self.text_of(found.label)}\n"
            for place, found in enumerate(order, 1)
        )
        return self.first + "\n".join(cues)

    def label_of(self, text: str) -> str:
        """The label of a cue: its text without marks."""
        return html.unescape(_TAGS.sub("", text))

    def text_of(self, label: str) -> str:
        """The text of a cue that shows a label."""
        return html.escape(label, quote=False)

    def _clock(self, seconds: float) -> str:
        """A time as ``00:01:02.500``."""
        whole, thousandths = divmod(round(seconds * 1000), 1000)
        return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{self.point}{thousandths:03}"


FORMAT = WebVTT()


def _cues(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Line, start, end and text of each cue; a cue ends at an empty line, and where the next one begins."""
    lines = text.split("\n")
    for place, line in enumerate(lines):
        if found := _TIMES.match(line):
            end = place + 1
            while end < len(lines) and lines[end].strip() and _ARROW not in lines[end]:
                end += 1
            if end < len(lines) and _ARROW in lines[end] and lines[end - 1].strip().isdecimal():
                end -= 1  # the number of the next cue, without an empty line before it
            yield place + 1, found[1], found[2], " ".join(lines[place + 1 : end])

"""SubRip: the older subtitles, with a comma before the milliseconds."""

from __future__ import annotations

import re

from gad_lightning.data.formats.source import Source
from gad_lightning.data.formats.webvtt import WebVTT

_MARKS = re.compile(r"</?(?:b|i|u|s|font)\b[^>]*>|\{\\[^}]*\}", re.IGNORECASE)


class SubRip(WebVTT):
    """Subtitles in .srt files; their text has no way to write a mark as it is."""

    name = "srt"
    title = "SubRip"
    ending = ".srt"
    first = ""
    point = ","

    def recognizes(self, source: Source) -> bool:
        """By an arrow between two times, where it is no WebVTT."""
        return source.is_subtitles and source.opening.isdecimal()

    def label_of(self, text: str) -> str:
        """The text without marks for slanted or colored letters."""
        return _MARKS.sub("", text)

    def text_of(self, label: str) -> str:
        """The label as it is."""
        return label


FORMAT = SubRip()

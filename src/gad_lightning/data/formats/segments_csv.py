"""This library's own tables: ``segments.csv`` as people write it, and that of ``gad-lightning predict``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO

from gad_lightning.csv_rows import read_rows
from gad_lightning.data.formats.base import AnnotationFormat, LabeledVideo, Reading
from gad_lightning.data.formats.source import Source, number
from gad_lightning.escape import unescape_csv

_OWN = ("video", "start", "end", "label")
_PREDICTED = ("video", "start_seconds", "end_seconds", "label")


class SegmentsTable(AnnotationFormat):
    """A row a stretch, in seconds or as ``h:mm:ss``; other columns are passed over."""

    name = "segments"
    title = "segments.csv"
    ending = ".csv"

    def recognizes(self, source: Source) -> bool:
        """By its columns."""
        return set(_OWN) <= set(source.header) or set(_PREDICTED) <= set(source.header)

    def read(self, source: Source, reading: Reading) -> None:
        """Take the rows."""
        predicted = set(_PREDICTED) <= set(source.header)
        for line, row in read_rows(source.path, _PREDICTED if predicted else _OWN, "give another file"):
            video, start, end, label = (row[name] for name in (_PREDICTED if predicted else _OWN))
            score = number(row.get("score", ""))
            if predicted:
                video, label = unescape_csv(video), unescape_csv(label)
            known = score if score == score else None
            reading.add(video, number(start), number(end), label, f"line {line}", known)

    def write(self, videos: Sequence[LabeledVideo]) -> str:
        """``video,start,end,label``, and the score where a classifier made the stretches."""
        scored = any(video.scored for video in videos)
        text = StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow((*_OWN, "score") if scored else _OWN)
        for video in videos:
            for found in video.annotations:
                row = (video.name, found.start, found.end, found.label)
                table.writerow((*row, "" if found.score is None else found.score) if scored else row)
        return text.getvalue()


FORMAT = SegmentsTable()

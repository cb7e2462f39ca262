"""BORIS: tabular events (a row a start, stop or point) and aggregated events (a row a behavior), as CSV or TSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO

from gad_lightning.data.formats.base import AnnotationFormat, LabeledVideo, Reading
from gad_lightning.data.formats.source import Source, number

_AGGREGATED = ("behavior", "start (s)", "stop (s)")
_TABULAR = ("time", "behavior")
_HEADER = (
    *("Observation id", "Observation type", "Time offset (s)", "Media duration (s)", "FPS (frame/s)", "Subject"),
    *("Behavior", "Modifiers", "Behavior type", "Start (s)", "Stop (s)", "Duration (s)", "Media file name"),
)
Row = Mapping[str, str]


class Boris(AnnotationFormat):
    """Events of BORIS; point events are instants, and modifiers are part of the label where asked for."""

    name = "boris"
    title = "BORIS"
    ending = ".boris.csv"

    def recognizes(self, source: Source) -> bool:
        """By the columns of one of its exports, above which there may be lines about the observation."""
        return bool(_header_place(source) + 1)

    def read(self, source: Source, reading: Reading) -> None:
        """Take the behaviors of observations of one media file; times of several run on from one to the next."""
        about, rows = _rows(source)
        media: dict[str, set[str]] = {}
        for _, row in rows:
            media.setdefault(_observation(row), set()).update(filter(None, [_media(row, about)]))
        for line, row in rows:
            found = media[_observation(row)]
            if len(found) > 1 or "|" in "".join(found) or ";" in "".join(found):
                reading.leave_out("an observation of several media, whose times run on", f"line {line}")
        usable = [
            (line, {**row, "media": next(iter(media[_observation(row)]), "")})
            for line, row in rows
            if len(media[_observation(row)]) < 2 and not set("|;") & set("".join(media[_observation(row)]))
        ]
        for start, end, row, line in _events(usable, reading):
            offset = number(row.get("time offset (s)", about.get("time offset (s)", "0")) or "0")
            if offset:
                reading.say(f"the time offset of {offset:g} s is taken off")
            name = row["media"] or row.get("observation id", "")
            reading.add(name, start - offset, end - offset, _label(row, reading), f"line {line}")

    def write(self, videos: Sequence[LabeledVideo]) -> str:
        """Aggregated events, an observation a video."""
        text = StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(_HEADER)
        for video in videos:
            before = (video.name, "Media file", 0, video.length, video.fps, "No focal subject")
            for found in video.annotations:
                times = (found.start, found.end, found.end - found.start)
                table.writerow((*before, found.label, "", "STATE", *times, video.media or video.name))
        return text.getvalue()


FORMAT = Boris()


def _header_place(source: Source) -> int:
    """Which row has the names of the columns; -1 if none."""
    for place, row in enumerate(source.table[:100]):
        names = {cell.lower() for cell in row}
        if names >= set(_AGGREGATED) or (names >= set(_TABULAR) and names & {"status", "behavior type"}):
            return place
    return -1


def _rows(source: Source) -> tuple[Row, list[tuple[int, Row]]]:
    """What stands above the table, and its rows by their place in the file."""
    place = _header_place(source)
    names = [cell.lower() for cell in source.table[place]]
    about = {row[0].lower(): row[1] for row in source.table[:place] if len(row) > 1}
    lines = enumerate(source.table[place + 1 :], place + 2)
    # a short row has nothing in its last columns
    rows = ((line, dict(zip(names, [*row, *[""] * len(names)], strict=False))) for line, row in lines)
    return about, [(line, row) for line, row in rows if any(row.values())]


def _observation(row: Row) -> str:
    return row.get("observation id", "")


def _media(row: Row, about: Row) -> str:
    """The media file of a row, of whichever column its version has; without the number of the player."""
    columns = ("media file name", "media file path", "media file", "source")
    found = next((row[name] for name in columns if row.get(name)), "") or about.get("player #1", "")
    before, colon, name = found.partition(":")
    return name if colon and before.lower().startswith("player") else found


def _label(row: Row, reading: Reading) -> str:
    """The behavior, with its modifiers in brackets where asked for."""
    found = [value for name, value in row.items() if name.startswith("modifier") and value not in ("", "None", "NA")]
    if not found:
        return row["behavior"]
    if reading.rules.modifiers:
        return f"{row['behavior']} ({', '.join(found)})"
    reading.say("modifiers are not part of the label (--modifiers=true makes them so)")
    return row["behavior"]


def _events(rows: Sequence[tuple[int, Row]], reading: Reading) -> Iterator[tuple[float, float, Row, int]]:
    """Start, end, row and line of each behavior: of one row, or of the two that start and stop it."""
    begun: dict[tuple[str, ...], tuple[float, Row, int]] = {}
    for line, row in rows:
        if "start (s)" in row:
            start, stop = number(row["start (s)"]), number(row.get("stop (s)", ""))
            yield start, start if row.get("behavior type", "").upper() == "POINT" else stop, row, line
            continue
        kind, time = (row.get("behavior type") or row.get("status", "")).upper(), number(row["time"])
        modifiers = [value for name, value in row.items() if name.startswith("modifier")]
        key = (_observation(row), row.get("subject", ""), row["behavior"], *modifiers)
        if kind == "START" and key not in begun:
            begun[key] = (time, row, line)
        elif kind == "STOP" and key in begun:
            start, first, where = begun.pop(key)
            yield start, time, first, where
        elif kind == "POINT":
            yield time, time, row, line
        else:
            reading.leave_out("a start or stop without its other half", f"line {line}")
    for _, _, line in begun.values():
        reading.leave_out("a start or stop without its other half", f"line {line}")

"""Reads the two CSV files of own data; every fault is reported with file and line.

Texts are read as a person reads them: Unicode form NFC, one space between words and none around, nothing invisible.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.schema import ALIKE, alike, normalized

IGNORE = "ignore"
"""The label of stretches that enter neither loss nor metrics."""
SPLIT_NAMES = ("train", "val", "test")


class SegmentRow(NamedTuple):
    """One labeled stretch of ``segments.csv``."""

    video: str
    start: float  # seconds
    end: float  # seconds, exclusive, above start
    label: str
    line: int  # in the file, from 1


class VideoRow(NamedTuple):
    """One video of ``videos.csv``; what the file leaves out has its default."""

    split: str = "train"
    goal: str = ""
    group: str = ""


def read_segments(path: Path) -> list[SegmentRow]:
    """Read ``video,start,end,label``, one segment a row, times in seconds.

    Raises:
        MissingDataError: if there is no such file.
        DataError: naming the line with a value that cannot be used.
    """
    return [_segment(path, line, row) for line, row in _rows(path, ("video", "start", "end", "label"))]


def _segment(path: Path, line: int, row: dict[str, str]) -> SegmentRow:
    times = [_seconds(path, line, name, row[name]) for name in ("start", "end")]
    if times[1] <= times[0]:
        raise DataError(
            f"{path}, line {line}: a segment of {row['video']!r} starts at {times[0]:g} s and ends at {times[1]:g} s.",
            "an end must lie after its start: correct the row",
        )
    if times[0] < 0:
        raise DataError(f"{path}, line {line}: start is {times[0]:g} s, before the video.", "correct the row")
    if not row["label"]:
        raise DataError(f"{path}, line {line}: the label is empty.", "name the class, or write ignore")
    return SegmentRow(_video(path, line, row["video"]), times[0], times[1], row["label"], line)


def read_videos(path: Path) -> dict[str, VideoRow]:
    """Read ``video,split,goal,group``, one video a row; all columns but the first may be missing or empty.

    Raises:
        DataError: naming the line with an unknown split or a video that stands twice.
    """
    videos: dict[str, VideoRow] = {}
    for line, row in _rows(path, ("video",)):
        split = row.get("split") or "train"
        if split not in SPLIT_NAMES:
            raise DataError(
                f"{path}, line {line}: the split {split!r} is unknown.", f"use one of {', '.join(SPLIT_NAMES)}"
            )
        name = _video(path, line, row["video"])
        if name in videos:
            raise DataError(f"{path}, line {line}: the video {name!r} stands twice.", "list every video once")
        videos[name] = VideoRow(split, row.get("goal", ""), row.get("group", ""))
    return videos


def _rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    if not path.is_file():
        raise MissingDataError(
            f"{path} is not there.", f"write it with the header {','.join(needed)}, or set data.root"
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="", skipinitialspace=True, strict=True)
            reader.fieldnames = [normalized(name) for name in reader.fieldnames or ()]
            _check_header(path, reader.fieldnames, needed)
            for row in reader:
                if None in row:
                    raise DataError(
                        f"{path}, line {reader.line_num}: it has more values than the first line has names.",
                        'put a label with commas in quotes: "stir, slowly"',
                    )
                values = {name: normalized(value) for name, value in row.items()}
                if any(values.values()):  # tables leave rows of commas behind
                    yield reader.line_num, values
    except csv.Error as error:
        where = f"{path}, line {reader.line_num + 1}"
        raise DataError(f"{where}: {error}.", "close the quote, or write a quote within quotes twice") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no CSV file in UTF-8: {error}.", "save it as UTF-8 text") from error


def _check_header(path: Path, found: Sequence[str], needed: Sequence[str]) -> None:
    twice = [name for name in dict.fromkeys(found) if name and found.count(name) > 1]
    if twice:
        raise DataError(
            f"{path} has {found.count(twice[0])} columns named {twice[0]!r}; its first line is {','.join(found)!r}.",
            "keep one of them, or rename the others",
        )
    for one, other in alike(name for name in found if name):
        raise DataError(
            f"{path} has the columns {one!r} and {other!r}, which differ by {ALIKE} only.",
            "keep one of them, or rename the other",
        )
    missing = [name for name in needed if name not in found]
    if missing:
        raise DataError(
            f"{path} has no column {missing[0]!r}; its first line is {','.join(found)!r}.",
            f"begin it with a line of column names, comma-separated: {','.join(needed)}",
        )


def _seconds(path: Path, line: int, column: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise DataError(f"{path}, line {line}: {column} is {text!r}, which is no time.", "write seconds, such as 12.5")
    return seconds


def _video(path: Path, line: int, name: str) -> str:
    if not name or name in (".", "..") or "/" in name or "\\" in name:
        raise DataError(
            f"{path}, line {line}: {name!r} is no name of a video.", "write its file name without folder and ending"
        )
    return name

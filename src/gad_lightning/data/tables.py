"""Reads the two CSV files of own data; every fault is reported with file and line.

Texts are read as a person reads them: Unicode form NFC, one space between words and none around, nothing invisible.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from gad_lightning.csv_rows import read_rows
from gad_lightning.errors import DataError

IGNORE = "ignore"
"""The label of stretches that enter neither loss nor metrics."""
SPLIT_NAMES = ("train", "val", "test")
ROOT = "set data.root"
"""What else may help where a file is not there."""


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
    return [_segment(path, line, row) for line, row in read_rows(path, ("video", "start", "end", "label"), ROOT)]


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
    for line, row in read_rows(path, ("video",), ROOT):
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

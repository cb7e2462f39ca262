"""Reads the two CSV files of own data; every fault is reported with file and line, labels that may be slips are found.

Texts are read as a person reads them: Unicode form NFC, one space between words and none around, nothing invisible.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from gad_lightning.csv_rows import read_rows, seconds_of
from gad_lightning.errors import DataError

IGNORE = "ignore"
"""The label of stretches that enter neither loss nor metrics."""
SPLIT_NAMES = ("train", "val", "test")
ROOT = "set data.root"
"""What else may help where a file is not there."""
_FEW = 2
"""Segments of a class that can hardly be learned; a slip of the pen has mostly one."""
_TIMES_AS_OFTEN = 3
"""How much more frequent the label must be that a slip is of."""
_LETTERS_A_SLIP = 4
"""Letters that a label needs for each letter that may differ."""
_SHOWN = 5
"""Labels that are listed."""


class SegmentRow(NamedTuple):
    """One labeled stretch of ``segments.csv``."""

    video: str
    start: float  # seconds
    end: float  # seconds, exclusive, above start
    label: str
    line: int  # in the file, from 1
    where: str = ""  # file and place


class VideoRow(NamedTuple):
    """One video of ``videos.csv``; what the file leaves out has its default."""

    split: str = "train"
    goal: str = ""
    group: str = ""


def read_segments(path: Path) -> list[SegmentRow]:
    """Read ``video,start,end,label``, one segment a row, times in seconds or as ``h:mm:ss.ms``.

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
    return SegmentRow(_video(path, line, row["video"]), times[0], times[1], row["label"], line, f"{path}, line {line}")


def read_videos(path: Path) -> dict[str, VideoRow]:
    """Read ``video,split,goal,group``, one video a row; all columns but the first may be missing or empty.

    Raises:
        DataError: naming the line with an unknown split or a video that stands twice.
    """
    videos: dict[str, VideoRow] = {}
    for line, values in read_rows(path, ("video",), ROOT):
        row = {name.casefold(): value for name, value in values.items()}
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
    seconds = seconds_of(text)
    if not math.isfinite(seconds):
        raise DataError(
            f"{path}, line {line}: {column} is {text!r}, which is no time.", "write seconds, such as 12.5, or 0:00:12.5"
        )
    return seconds


def _video(path: Path, line: int, name: str) -> str:
    if not name or name in (".", "..") or "/" in name or "\\" in name:
        raise DataError(
            f"{path}, line {line}: {name!r} is no name of a video.", "write its file name without folder and ending"
        )
    return name


def slips(counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Pairs of a label and the much more frequent one that it may stand for: one or two letters differ, no digit.

    Args:
        counts: segments of every label.

    Example:
        >>> list(slips({"stir": 9, "sitr": 1, "step 1": 9, "step 2": 1}))
        [('sitr', 'stir')]
    """
    for label, count in counts.items():
        near = {
            other: _letters_apart(label, other) for other, often in counts.items() if often >= _TIMES_AS_OFTEN * count
        }
        close = [
            other for other, apart in near.items() if other != label and apart <= min(2, len(label) // _LETTERS_A_SLIP)
        ]
        if close:
            yield label, min(close, key=lambda other: near[other])


def rare(counts: Mapping[str, int]) -> str:
    """Name the labels of one or two segments; nothing if there are none.

    Example:
        >>> rare({"stir": 9, "pour": 2})
        "1 of 2 classes have one or two segments ('pour'), which is hardly enough to learn and test them."
    """
    few = [label for label, count in counts.items() if count <= _FEW]
    if not few:
        return ""
    some = ", ".join(map(repr, few[:_SHOWN])) + (", ..." if len(few) > _SHOWN else "")
    return (
        f"{len(few)} of {len(counts)} classes have one or two segments ({some}), which is hardly enough to learn and "
        "test them."
    )


def _letters_apart(one: str, other: str) -> float:
    """Letters to insert, remove, replace or swap; infinitely many if the numbers in them differ."""
    if re.findall(r"\d+", one) != re.findall(r"\d+", other):
        return float("inf")
    from rapidfuzz.distance import DamerauLevenshtein  # only checked data want it: a training machine may lack it

    return DamerauLevenshtein.distance(one, other, score_cutoff=2)

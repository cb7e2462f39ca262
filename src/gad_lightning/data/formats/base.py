"""What the annotation formats share: labeled stretches of videos, the rules for reading them, and what was left out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from gad_lightning.data.formats.source import Source
from gad_lightning.errors import DataError
from gad_lightning.schema import ALIKE, alike, normalized
from gad_lightning.video.encoding.video_files import VIDEO_ENDINGS
from gad_lightning.video.timing import rate_of

Sharpness = Literal["second", "millisecond", "frame"]
SOUND_ENDINGS = frozenset({".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".opus"})
_INSTANT = "an instant without length (--point_seconds gives it one)"


class Annotation(NamedTuple):
    """One labeled stretch of a video."""

    video: str  # name, without folder and ending
    start: float  # seconds from the video's start, 0 or more
    end: float  # seconds, exclusive, above start
    label: str
    score: float | None = None  # probability in [0, 1] of what a classifier found; None for what a person labeled
    where: str = ""  # file and place that it was read from


class LabeledVideo(NamedTuple):
    """A video and its annotations, to be written."""

    name: str
    annotations: tuple[Annotation, ...]
    fps: float  # frames a second that formats of frames count in
    media: str = ""  # path or URL of the video, as the tool is to find it; the name if empty
    seconds: float | None = None  # length of the video, where known

    @property
    def scored(self) -> bool:
        """Whether a classifier found the annotations."""
        return any(annotation.score is not None for annotation in self.annotations)

    @property
    def length(self) -> float:
        """Seconds of the video as far as known: at least up to the last annotation."""
        return max([self.seconds or 0.0, *(annotation.end for annotation in self.annotations)])


class Rules(NamedTuple):
    """How annotations are read where a file leaves it open."""

    fps: float | None = None  # frames a second, of files that count frames; None: what they say, or their video
    point_seconds: float = 0.0  # length that events without one get; 0 leaves them out
    tiers: tuple[str, ...] = ()  # of ELAN, or controls of Label Studio, to take; all if empty
    labels: tuple[str, ...] = ()  # to take; all if empty
    modifiers: bool = False  # put the modifiers of BORIS behind the label, in brackets
    videos: Path | None = None  # folder of the videos, whose rates are read where a file counts frames


class Reading:
    """Collects what one file holds: annotations, what was left out and why, and which rules were applied.

    Args:
        path: the file.
        rules: how it is read.
        ending: of files of its format; without it the file's name is that of its video, if it names none.
    """

    def __init__(self, path: Path, rules: Rules, ending: str = "") -> None:
        self.path, self.rules = path, rules
        self.name = path.name.removesuffix(ending) if ending and path.name.endswith(ending) else path.stem
        self.annotations: list[Annotation] = []
        self.left_out: dict[str, list[str]] = {}
        """Places in the file, by why they were left out."""
        self.said: list[str] = []
        """Rules that were applied, each once."""
        self.splits: dict[str, str] = {}
        """Splits of videos, where the file says."""

    def add(self, media: str, start: float, end: float, label: object, where: str, score: float | None = None) -> None:
        """Take a stretch, or note why not.

        Args:
            media: name, path or URL of its video; of none, the file itself is named as its video is.
            start: seconds.
            end: seconds; equal to ``start`` for an instant.
            label: a text, or a number that is one.
            where: place in the file, for messages.
            score: see :class:`Annotation`.
        """
        text = normalized(str(label)) if isinstance(label, str | int) else ""
        if end == start and self.rules.point_seconds > 0:
            end = start + self.rules.point_seconds
            self.say(f"instants last {self.rules.point_seconds:g} s from where they are")
        video = video_name(media or self.name)
        if why := self._why_not(video, start, end, text):
            self.leave_out(why, where)
            return
        if start < 0:
            self.say("what begins before the video begins at 0 s")
        place = f"{self.path}, {where}"
        self.annotations.append(Annotation(video, max(0.0, float(start)), float(end), text, score, place))

    def _why_not(self, video: str, start: float, end: float, label: str) -> str:
        """Why a stretch cannot be taken; empty if it can."""
        if not (math.isfinite(start) and math.isfinite(end)):
            return "a time that is no number"
        checks = {
            "a video without a usable name": video in ("", ".", "..") or "/" in video or "\\" in video,
            "no label": not label,
            "a label that --labels does not name": bool(self.rules.labels) and label not in self.rules.labels,
            _INSTANT: end == start,
            "an end before its start": end < start,
            "a stretch before the video's start": end <= 0,
        }
        return next((why for why, found in checks.items() if found), "")

    def leave_out(self, why: str, where: str) -> None:
        """Note a part of the file that is not taken."""
        self.left_out.setdefault(why, []).append(where)

    def say(self, rule: str) -> None:
        """Note a rule that was applied."""
        if rule not in self.said:
            self.said.append(rule)

    def rate(self, media: str, stated: float = math.nan, why: str = "as the file says") -> float:
        """Frames a second of a video whose annotations count frames: as given, as the file says, or the video's own.

        Args:
            media: see :meth:`add`.
            stated: what the file says, nan if nothing.
            why: where that comes from, for what is said.

        Raises:
            DataError: if nothing says it.
        """
        rate, source = self.rules.fps or math.nan, "as given"
        if not _is_rate(rate):
            rate, source = stated, why
        if not _is_rate(rate) and (file := self._file_of(media)) is not None:
            rate, source = rate_of(file), f"as {file.name} has"
        if not _is_rate(rate):
            raise DataError(
                f"{self.path} counts frames and does not say how many a second.",
                "say it (import --fps 25, or data.annotations_fps: 25), or put the videos into the folder first",
            )
        self.say(f"frames counted at {rate:g} a second, {source}")
        return rate

    def _file_of(self, media: str) -> Path | None:
        """The video file of a name: in the folder of videos, or beside the annotations."""
        name = video_name(media or self.name)
        for folder in filter(None, (self.rules.videos, self.path.parent)):
            for file in sorted(folder.glob("*.*")) if folder.is_dir() else ():
                if file.suffix.lower() in VIDEO_ENDINGS and normalized(file.stem) == name:
                    return file
        return None


class AnnotationFormat(ABC):
    """One format. A module of this folder that has an instance named ``FORMAT`` is all that a new one needs."""

    name: ClassVar[str]
    """What users call it on the command line."""
    title: ClassVar[str]
    """What people call it."""
    ending: ClassVar[str]
    """Of the files written."""
    one_video: ClassVar[bool] = False
    """Whether a file holds one video, and not all."""
    sharpness: ClassVar[Sharpness] = "second"
    """How sharp written times are; ``second`` keeps them as they are."""

    @abstractmethod
    def recognizes(self, source: Source) -> bool:
        """Whether a file is of this format; nothing else may be read than what decides that."""

    @abstractmethod
    def read(self, source: Source, reading: Reading) -> None:
        """Put what a file holds into ``reading``."""

    @abstractmethod
    def write(self, videos: Sequence[LabeledVideo]) -> str:
        """The text of a file of these videos; of one, where :attr:`one_video` is set."""


def video_name(media: str) -> str:
    """Name of a video, of its path or URL: no folder, no ending, and not the number that Label Studio puts before it.

    Example:
        >>> video_name("/data/upload/3/1a2b3c4d-kitchen%2001.mp4"), video_name("/data/local-files/?d=a/b.mp4")
        ('kitchen 01', 'b')
        >>> video_name("file:///C:/films/cook.v2.avi"), video_name("cook.v2")
        ('cook.v2', 'cook.v2')
    """
    text = media.strip()
    if "?d=" in text:
        text = next(iter(parse_qs(urlsplit(text).query).get("d", [])), text)
    elif "://" in text or "%" in text:
        text = unquote(text.split("?")[0])
    uploaded = "/upload/" in text.replace("\\", "/")
    name = text.replace("\\", "/").rsplit("/", 1)[-1]
    stem, dot, ending = name.rpartition(".")
    if dot and stem and f".{ending.lower()}" in VIDEO_ENDINGS | SOUND_ENDINGS:
        name = stem
    prefix, dash, rest = name.partition("-")
    if uploaded and dash and rest and len(prefix) == 8 and set(prefix) <= set("0123456789abcdef"):
        name = rest
    return normalized(name)


def merged(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Make one of stretches of one label of one video that overlap or are equal; the order is that of the first ones.

    Example:
        >>> merged([Annotation("a", 0, 2, "stir"), Annotation("a", 1, 3, "stir"), Annotation("a", 3, 4, "stir")])[0][:3]
        ('a', 0, 3)
    """
    order = list(annotations)
    kept: dict[int, Annotation] = {}
    last: dict[tuple[str, str], int] = {}
    for number in sorted(range(len(order)), key=lambda number: (order[number].start, number)):
        found = order[number]
        before = last.get((found.video, found.label))
        if before is not None and found.start < kept[before].end:
            kept[before] = kept[before]._replace(end=max(kept[before].end, found.end))
        else:
            last[found.video, found.label] = number
            kept[number] = found
    return [kept[number] for number in sorted(kept)]


def warnings_of(annotations: Sequence[Annotation]) -> list[str]:
    """What a run would complain of: labels that a person may take for one, and overlaps of different labels."""
    told = [
        f"the labels {one!r} and {other!r} differ by {ALIKE} only: a run refuses them unless data.class_names has both"
        for one, other in alike(annotation.label for annotation in annotations)
    ]
    shared, by_video = 0, sorted(annotations, key=lambda found: (found.video, found.start))
    for before, after in pairwise(by_video):
        shared += before.video == after.video and after.start < before.end
    if shared:
        told.append(
            f"{shared} stretches begin inside one of another label: the later start counts, unless data.multi_label is "
            "set"
        )
    return told


def _is_rate(rate: float) -> bool:
    """Whether it can be frames a second."""
    return math.isfinite(rate) and rate > 0

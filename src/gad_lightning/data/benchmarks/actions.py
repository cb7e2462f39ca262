"""ReleasedActions: the four online data sets: what happens at every frame, from annotations or per-frame arrays."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from typing_extensions import override

from gad_lightning.data.base import SPLITS, Split
from gad_lightning.data.benchmarks.annotation_files import ExpectedFile, find_file
from gad_lightning.data.benchmarks.class_names import clean_name
from gad_lightning.data.benchmarks.data_info import DataInfo
from gad_lightning.data.benchmarks.perframe import FrameClasses, open_matrix, read_matrices
from gad_lightning.data.benchmarks.videos import BenchmarkVideos, UnseenFrames
from gad_lightning.data.records import FeatureSource, Labels, VideoRecord
from gad_lightning.data.windows import IntArray
from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.segments import Segment, frames_between, multi_hot, overlaps
from gad_lightning.types import IGNORED

PERFRAME = "target_perframe"


class TimedSegment(NamedTuple):
    """One labeled stretch as the official annotations have it."""

    label: str | None  # class name; None: something happens that is not labeled
    start: float  # seconds
    end: float  # seconds, exclusive


class Annotation(NamedTuple):
    """What the official annotations say of one video."""

    segments: Sequence[TimedSegment]
    seconds: float  # length of the video, or the end of its last segment where the files do not say
    goal: str | None = None
    group: str | None = None
    stated: bool = True  # whether the files say how long the video is


class BenchmarkActions(BenchmarkVideos):
    """An online data set: every frame has a class, the background outside all segments.

    The label of a frame that shows several things is the lowest of its classes, as published. Class order and splits
    are those of ``data_info.json`` where it is there, and otherwise follow from the official files by the same rule.

    Args:
        labels: ``perframe`` reads the releases' ``target_perframe/<video>.npy``, ``annotations`` the official files;
            ``auto`` takes the arrays if the folder is there.
        **released: see :class:`~gad_lightning.BenchmarkVideos`.
    """

    key: ClassVar[str]
    """What ``data_info.json`` calls the data set."""
    info_files: ClassVar[tuple[str, ...]] = ("data_info.json",)

    def __init__(self, *, labels: Literal["auto", "perframe", "annotations"] = "auto", **released: Any) -> None:
        super().__init__(**released)
        self.label_source = labels

    @property
    @abstractmethod
    def annotations(self) -> Mapping[str, Annotation]:
        """What the official files say, by video; read at the first use."""

    @abstractmethod
    def official_names(self) -> list[str]:
        """Class names in published order, the background first, worked out from the official files alone."""

    @abstractmethod
    def official_sessions(self, split: Split) -> list[str]:
        """Videos of a split, from the official files alone."""

    @cached_property
    def info(self) -> DataInfo | None:
        """The ``data_info.json`` of a feature release, if it is there."""
        path = find_file(self.root, *self.info_files)
        return None if path is None else DataInfo.read(path, self.key)

    @cached_property
    def class_names(self) -> list[str]:
        """Cleaned names in the order of the published head, the background first."""
        return [clean_name(name) for name in (self.official_names() if self.info is None else self.info.class_names)]

    @cached_property
    def class_indices(self) -> dict[str, int]:
        """Index of every class name."""
        return {name: index for index, name in enumerate(self.class_names)}

    @property
    @override
    def rate(self) -> float:
        stated = None if self.info is None else self.info.fps
        return super().rate if self.given_fps is not None or stated is None else stated

    @cached_property
    def perframe(self) -> bool:
        """Whether labels come from ``target_perframe``."""
        there = (self.root / PERFRAME).is_dir()
        return self.label_source == "perframe" or (self.label_source == "auto" and there)

    @property
    @override
    def expected(self) -> tuple[ExpectedFile, ...]:
        arrays = ExpectedFile((f"{PERFRAME}/*.npy",), "frames x classes of 0 and 1", needed=self.perframe)
        return (*super().expected, arrays)

    @override
    def sessions(self, split: Split) -> list[str]:
        return self.official_sessions(split) if self.info is None else list(self.info.sessions[split])

    @override
    def seconds(self, video: str) -> float:
        return self.annotations[video].seconds

    @override
    def states_length(self, video: str) -> bool:
        return video in self.known and self.known[video].stated

    @override
    def lacking(self, video: str) -> str | None:
        if self.perframe and not self.matrix_of(video).is_file():
            return str(self.matrix_of(video))
        if not self.perframe and video not in self.annotations:
            return f"an annotation of {video}"
        return super().lacking(video)

    @override
    def frames_of(self, video: str) -> FeatureSource:
        if self.folders is None and self.perframe:
            return UnseenFrames(len(self.matrices[video].lowest), self.rate)
        return super().frames_of(video)

    @override
    def record(self, video: str, split: Split, frames: FeatureSource) -> VideoRecord:
        _, _, named, group, _ = self.known.get(video, Annotation((), 0.0))
        goal = self.goals.index(named) if named in self.goals else -1
        if self.perframe:
            return VideoRecord(video, frames, labels=self.given(video, split), goal=goal, group=group)
        segments = self.arrange(self.segments(video, frames.spec.fps), split)
        rows = multi_hot(segments, frames.num_frames, len(self.class_names)) if self.multi_label else None
        return VideoRecord(video, frames, segments, rows, goal, group)

    @cached_property
    def known(self) -> Mapping[str, Annotation]:
        """What the official files say; nothing if labels are arrays and the official files are not there."""
        if not self.perframe:
            return self.annotations
        try:
            return self.annotations
        except MissingDataError:
            return {}

    def segments(self, video: str, fps: float) -> list[Segment]:
        """Labeled stretches in frames, as the annotations list them; unlabeled ones are IGNORED."""
        return [
            Segment(self.index_of(label), *frames_between(start, end, fps))
            for label, start, end in self.annotations[video].segments
        ]

    def index_of(self, label: str | None) -> int:
        """Index of a class that the annotations name; IGNORED for what is not labeled or not in the class list."""
        return IGNORED if label is None or label in self.unlisted else self.class_indices[label]

    @cached_property
    def unlisted(self) -> list[str]:
        """Annotated classes that the class list lacks, with a warning: frames that show them are not scored.

        Raises:
            DataError: if they are more than half: it is the list of another data set.
        """
        named = {label for about in self.annotations.values() for label, _, _ in about.segments if label is not None}
        lacking = sorted(named - set(self.class_indices))
        some = ", ".join(map(repr, lacking[:5])) + (", ..." if len(lacking) > 5 else "")
        if 2 * len(lacking) > len(named):
            raise DataError(
                f"The class list has {len(named) - len(lacking)} of the {len(named)} classes that the annotations of "
                f"{type(self).__name__} name; it lacks {some}.",
                f"use the {' or '.join(self.info_files)} of this data set, or none",
            )
        if lacking:
            warnings.warn(f"The class list lacks {some}: frames that show these are not scored.", stacklevel=2)
        return lacking

    def arrange(self, segments: Sequence[Segment], split: Split) -> list[Segment]:
        """Order the segments so that what a frame shows is laid down last: the lowest class, over unlabeled ones."""
        return sorted(segments, key=lambda segment: (segment.label != IGNORED, -segment.label))

    def choose(self, classes: FrameClasses, split: Split) -> IntArray:
        """The label of every frame, from per-frame arrays."""
        return classes.lowest

    def given(self, video: str, split: Split) -> Labels:
        """Frame labels from the per-frame array of a video: the chosen ones, or all of them.

        Raises:
            DataError: if the array has another number of classes.
        """
        rows = open_matrix(self.matrix_of(video))
        if rows.shape[1] != len(self.class_names):
            raise DataError(
                f"{self.matrix_of(video)} has {rows.shape[1]} classes, and the class list {len(self.class_names)}.",
                "use arrays and data_info.json of one release",
            )
        return np.asarray(rows, dtype=np.float32) if self.multi_label else self.choose(self.matrices[video], split)

    def classes_per_frame(self, record: VideoRecord) -> IntArray:
        """How many classes each frame of a video shows, the background not counted: (F,)."""
        if self.perframe:
            return self.matrices[record.name].shown
        return overlaps(record.segments, record.frames.num_frames)

    @cached_property
    def matrices(self) -> dict[str, FrameClasses]:
        """What ``target_perframe`` says, by video."""
        names = {name for split in SPLITS for name in self.sessions(split)}
        paths = [path for name in sorted(names) if (path := self.matrix_of(name)).is_file()]
        return {path.stem: classes for path, classes in read_matrices(paths).items()} if paths else {}

    def matrix_of(self, video: str) -> Path:
        """Where the per-frame array of a video is expected."""
        return self.root / PERFRAME / f"{video}.npy"

"""ReleasedVideos: what the five official data sets share: a folder of features, and files that may be missing."""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, ClassVar, Self

from typing_extensions import override

from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.data.benchmarks.annotation_files import ExpectedFile, find_file, missing
from gad_lightning.data.records import FeatureSource, FloatArray, VideoRecord
from gad_lightning.data.windows import IntArray
from gad_lightning.errors import MissingDataError
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.features.arrays_on_disk import READERS
from gad_lightning.video.features.feature_file import open_features


class UnseenFrames:
    """Stands for frames that nobody has: annotations can be counted and features simulated without them.

    Args:
        num_frames: frames that the video would have.
        fps: frames a second.
    """

    path: Path | None = None

    def __init__(self, num_frames: int, fps: float) -> None:
        self.num_frames = num_frames
        self.spec = FeatureSpec("none", fps, 1, 1)

    def rows(self, frames: IntArray) -> FloatArray:
        """Refuse.

        Raises:
            MissingDataError: always.
        """
        raise MissingDataError(
            "data.features is null: this data set was opened for its annotations alone.",
            "set data.features to the folder of features, or simulate them with SimulatedFeatures",
        )


class BenchmarkVideos(ActionDataModule):
    """Videos of an official data set, whose features lie in folders beside the annotations.

    A subclass says which videos a split has (:meth:`sessions`), how long one is (:meth:`seconds`), and what is known of
    one (:meth:`record`).

    Args:
        root: folder of the data set.
        features: folder of features below it, one ``<video>.npy``, ``.pt`` or ``.safetensors`` a video; several folders
            are put side by side (RGB and flow). None opens the annotations alone: nothing can be trained.
        fps: frames a second of the features, where no file beside them says so; the published rate if None.
        encoder: what made the features, where no file beside them says so; the names of the folders if None.
        leave_out_missing: go on without the videos that have no features, with a warning; otherwise they are refused.
        **loading: see :class:`~gad_lightning.ActionDataModule`.
    """

    files: ClassVar[tuple[ExpectedFile, ...]]
    """The annotation files that are expected below the root."""
    published_fps: ClassVar[float]
    """Frames a second of the features that published results were made with."""

    def __init__(
        self,
        root: Path | str,
        features: str | list[str] | None = "features",
        fps: float | None = None,
        encoder: str | None = None,
        leave_out_missing: bool = False,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self.root = Path(root)
        self.folders = [features] if isinstance(features, str) else features
        self.given_fps = fps
        self.encoder = encoder
        self.leave_out_missing = leave_out_missing

    @abstractmethod
    def sessions(self, split: Split) -> list[str]:
        """Names of the videos of a split, in a fixed order."""

    @abstractmethod
    def seconds(self, video: str) -> float:
        """Length of a video as far as the annotations tell; where they do not, the end of its last segment."""

    def states_length(self, video: str) -> bool:
        """Whether the annotations say how long a video is."""
        return True

    @abstractmethod
    def record(self, video: str, split: Split, frames: FeatureSource) -> VideoRecord:
        """Say what is known of one video."""

    @property
    def rate(self) -> float:
        """Frames a second of features that do not say it themselves."""
        return self.published_fps if self.given_fps is None else self.given_fps

    @property
    def expected(self) -> tuple[ExpectedFile, ...]:
        """All that is expected below the root, features included."""
        names = tuple(f"{folder}/*{ending}" for folder in self.folders or () for ending in READERS)
        rows = f"features, one file a video, {self.rate:g} frames a second"
        return (*self.files, ExpectedFile(names, rows)) if names else self.files

    @override
    def records(self, split: Split) -> list[VideoRecord]:
        """The videos of a split in the order of :meth:`sessions`.

        Raises:
            MissingDataError: if features are missing and ``leave_out_missing`` is not set.
        """
        names = self.sessions(split)
        lacking = {name: what for name in names if (what := self.lacking(name)) is not None}
        self.report(list(lacking.values()), len(names), split)
        return [self.record(name, split, self.frames_of(name)) for name in names if name not in lacking]

    def annotations_alone(self) -> Self:
        """The same data set without features, and without the videos that lack an annotation: what can be counted."""
        other = copy(self)
        other.folders, other.leave_out_missing, other._listed, other._sets = None, True, {}, {}
        for name in ("schema", "features", "held_out"):
            other.__dict__.pop(name, None)
        return other

    def lacking(self, video: str) -> str | None:
        """What of a video is not there, in words; None if it is whole."""
        places = (self.root / folder for folder in self.folders or ())
        return next((f"{place / video}.npy" for place in places if _find_features(place, video) is None), None)

    def frames_of(self, video: str) -> FeatureSource:
        """Where the frames of a video that lacks nothing are read from."""
        if self.folders is None:
            return UnseenFrames(max(1, math.ceil(self.seconds(video) * self.rate - 1e-6)), self.rate)
        paths = [path for folder in self.folders if (path := _find_features(self.root / folder, video)) is not None]
        return open_features(paths, self.rate, self.encoder or "+".join(self.folders))

    def report(self, absent: Sequence[str], total: int, split: Split) -> None:
        """Refuse or warn of videos that lack something.

        Raises:
            MissingDataError: if there are any and ``leave_out_missing`` is not set, or no video is whole; a split of
                annotations alone may be empty.
        """
        if not absent:
            return
        lacking = (
            f"{len(absent)} of the {total} {split} videos of {type(self).__name__} lack something, first {absent[0]}."
        )
        counted_only = self.folders is None and self.leave_out_missing
        if len(absent) == total and not counted_only:
            raise missing(lacking, self.root, self.expected)
        if not self.leave_out_missing:
            raise MissingDataError(lacking, "get the rest, or set data.leave_out_missing to true to go on without them")
        warnings.warn(f"{lacking} They are left out.", stacklevel=3)

    def find(self, what: str, *names: str) -> Path:
        """The first of these annotation files that is there.

        Raises:
            MissingDataError: if none is, with the tree that is expected.
        """
        path = find_file(self.root, *names)
        if path is None:
            raise missing(f"{type(self).__name__}: {what} ({' or '.join(names)}) not found.", self.root, self.expected)
        return path


def _find_features(folder: Path, video: str) -> Path | None:
    """The feature file of a video, whatever its ending."""
    return next((path for ending in READERS if (path := folder / f"{video}{ending}").is_file()), None)

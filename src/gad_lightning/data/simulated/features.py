"""Features made up for real timelines: each class looks like a random vector, every frame adds noise."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.data.records import FloatArray, VideoRecord, timeline
from gad_lightning.data.sampling import Stream, draws
from gad_lightning.data.windows import IntArray
from gad_lightning.errors import SettingError
from gad_lightning.schema import FeatureSpec, Task
from gad_lightning.types import IGNORED

TABLE = 4096
"""Rows of noise kept; a frame's noise is the sum of two of them, so that no two frames of a video look alike."""


class Appearance:
    """What every class looks like, and the noise of every frame: a pure function of the seed.

    Args:
        num_classes: C.
        tokens_per_frame: N.
        width: D.
        noise: standard deviation of a frame's noise; a class's look has standard deviation 1 in every feature.
        seed: of looks and noise.
    """

    def __init__(self, num_classes: int, tokens_per_frame: int, width: int, noise: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 0])
        size = (tokens_per_frame, width)
        self.looks: FloatArray = rng.standard_normal((num_classes + 1, *size), dtype=np.float32)
        self.table: FloatArray = rng.standard_normal((TABLE, *size), dtype=np.float32) * np.float32(noise / 2**0.5)
        self.seed = seed

    def frames(self, labels: IntArray, video: int, frames: IntArray) -> FloatArray:
        """Look of the classes plus noise: (n,) labels and frame numbers -> (n, N, D). Label -1 has a look too."""
        columns = (np.full_like(frames, video), frames)
        first, second = ((draws(self.seed, epoch, Stream.ORDER, *columns) * TABLE).astype(np.int64) for epoch in (0, 1))
        made: FloatArray = self.looks[labels] + self.table[first] + self.table[second]
        return made


class SimulatedFrames:
    """The frames of one video, made when they are read.

    Args:
        labels: (F,) what each frame shows, -1 for nothing that has a class.
        video: number of the video.
        appearance: of the classes.
        spec: what the frames claim to be.
    """

    path: Path | None = None

    def __init__(self, labels: IntArray, video: int, appearance: Appearance, spec: FeatureSpec) -> None:
        self.labels = labels
        self.video = video
        self.appearance = appearance
        self.spec = spec

    @property
    def num_frames(self) -> int:
        """F, frames of the video."""
        return len(self.labels)

    def rows(self, frames: IntArray) -> FloatArray:
        """Make frames by number: (n,) int64 -> (n, N, D) float32; the same in every call."""
        return self.appearance.frames(self.labels[frames], self.video, np.asarray(frames, dtype=np.int64))


class SimulatedFeatures(ActionDataModule):
    """The videos of another data module, with features that are made up from what is annotated.

    Timelines, splits, classes, goals and questions stay real; every class has a random look, the same at all times, and
    each frame is that look plus noise. So everything but the video files can be tried at the size of the real data.

    Args:
        source: the data; an official data set needs no features (``features: null``) if its annotations say how long
            the videos are. Its own settings of windows, loading and multi-label frames do not count, these here do.
        width: feature width D.
        tokens_per_frame: N.
        noise: standard deviation of the noise of a frame; the looks of two classes differ by 1.4 in every feature.
        look_seed: another seed gives the classes other looks.
        **loading: see :class:`~gad_lightning.ActionDataModule`.
    """

    def __init__(
        self,
        source: ActionDataModule,
        width: int = 64,
        tokens_per_frame: int = 1,
        noise: float = 1.0,
        look_seed: int = 0,
        standardize: bool = False,
        **loading: Any,
    ) -> None:
        super().__init__(standardize=standardize, **loading)
        self.source = source
        self.width = width
        self.tokens_per_frame = tokens_per_frame
        self.noise = noise
        self.look_seed = look_seed

    @property
    def class_names(self) -> Sequence[str]:
        """Those of the source."""
        return self.source.class_names

    @property
    def goals(self) -> Sequence[str]:
        """Those of the source."""
        return self.source.goals

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """Those of the source."""
        return self.source.tasks

    @cached_property
    def appearance(self) -> Appearance:
        """What the classes of the first task look like.

        Raises:
            SettingError: if a setting cannot work.
        """
        for name, value, least in (
            ("width", self.width, 1),
            ("tokens_per_frame", self.tokens_per_frame, 1),
            ("noise", self.noise, 0),
        ):
            if value < least:
                raise SettingError(f"data.{name} must be at least {least}, got {value}.", f"raise data.{name}")
        classes = len(self.tasks[0].labels.names)
        return Appearance(classes, self.tokens_per_frame, self.width, self.noise, self.look_seed)

    @override
    def records(self, split: Split) -> list[VideoRecord]:
        return [replace(record, frames=self.simulated(record)) for record in self.annotated(split)]

    def annotated(self, split: Split) -> list[VideoRecord]:
        """The videos whose labels are shown: those of the source."""
        return self.source.records(split)

    @property
    def encoder(self) -> str:
        """What the frames say they were made by."""
        return f"simulated-{self.look_seed}-noise{self.noise:g}"

    def simulated(self, record: VideoRecord) -> SimulatedFrames:
        """Frames for one video of the source."""
        spec = FeatureSpec(self.encoder, record.frames.spec.fps, self.width, self.tokens_per_frame)
        return SimulatedFrames(self.shown(record), zlib.crc32(record.name.encode()), self.appearance, spec)

    def shown(self, record: VideoRecord) -> IntArray:
        """The class that every frame shows, -1 for none: (F,)."""
        laid = timeline(replace(record, queries=None), self.tasks[0].labels)
        labels = laid.queries.label if laid.queries.label.ndim == 1 else laid.queries.label.argmax(1)
        return np.where(labels == IGNORED, -1, labels).astype(np.int64)

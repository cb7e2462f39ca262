"""Timelines that need no annotations: actions of random classes and lengths, one after the other."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from typing_extensions import override

from gad_lightning.data.arrays import ArrayFrames
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.data.records import VideoRecord
from gad_lightning.segments import Segment

FPS = 4.0
SPLIT_OF: tuple[Split, ...] = ("train", "train", "train", "val", "test")


class SyntheticTimelines(ActionDataModule):
    """Videos of nothing but labels, a source for simulated features; the same for the same numbers.

    Actions last 4 to 12 frames at 4 a second, with 0 to 4 frames of background before each.

    Args:
        num_videos: three fifths of them for training, one each for validation and test; at least 5.
        num_segments: actions of a video.
        num_classes: actions there are, each as frequent as the others.
        timeline_seed: of all that is drawn.
        **loading: see :class:`ActionDataModule`.
    """

    def __init__(
        self,
        num_videos: int = 60,
        num_segments: int = 16,
        num_classes: int = 24,
        timeline_seed: int = 0,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self.num_videos, self.num_segments = num_videos, num_segments
        self.num_classes, self.timeline_seed = num_classes, timeline_seed

    @property
    def class_names(self) -> list[str]:
        """Background first."""
        return ["background", *(f"action {index}" for index in range(1, self.num_classes + 1))]

    @override
    def records(self, split: Split) -> list[VideoRecord]:
        return [record for number, record in enumerate(self.all_records) if SPLIT_OF[number % 5] == split]

    @cached_property
    def all_records(self) -> list[VideoRecord]:
        """All videos, made at the first use."""
        return [self._video(number) for number in range(self.num_videos)]

    def _video(self, number: int) -> VideoRecord:
        rng = np.random.default_rng([self.timeline_seed, number])
        gaps, lengths = rng.integers(0, 5, self.num_segments), rng.integers(4, 13, self.num_segments)
        classes = rng.integers(1, self.num_classes + 1, self.num_segments)
        ends = (gaps + lengths).cumsum()
        rows = zip(classes.tolist(), (ends - lengths).tolist(), ends.tolist(), strict=True)
        frames = ArrayFrames(np.zeros((int(ends[-1]) + 4, 1), dtype=np.float32), FPS, "none")
        return VideoRecord(f"made_{number:03d}", frames, [Segment(*row) for row in rows])

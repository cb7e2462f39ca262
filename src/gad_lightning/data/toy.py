"""Data that needs nothing: tiny sequences made in memory, for tests of everything that is not data."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from gad_lightning.data.arrays import ArrayFrames
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.data.records import VideoRecord
from gad_lightning.segments import Segment

RECIPES = {
    "make tea": ("pour water", "add tea", "add sugar", "stir tea"),
    "make soup": ("pour water", "add salt", "cut carrot", "stir soup"),
}
FPS = 4.0
SPLIT_OF: tuple[Split, ...] = ("train", "val", "train", "test")


class ToyActions(ActionDataModule):
    """A few sequences of noisy class directions that follow two recipes; the same for the same numbers.

    Every step has a direction in feature space and lasts 1 to 2 s; its frames are that direction plus noise, so a
    linear map of one frame finds most labels. ``add sugar`` and ``add salt`` share a direction: only the goal or the
    steps before tell them apart.

    Args:
        num_videos: half of them for training, a quarter each for validation and test; at least 4.
        width: feature width D.
        tokens_per_frame: N.
        noise: standard deviation of the noise; a direction has length 1.
        **loading: see :class:`ActionDataModule`.
    """

    def __init__(
        self, num_videos: int = 8, width: int = 12, tokens_per_frame: int = 1, noise: float = 0.1, **loading: Any
    ) -> None:
        super().__init__(**loading)
        self.num_videos = num_videos
        self.width = width
        self.tokens_per_frame = tokens_per_frame
        self.noise = noise

    @property
    def class_names(self) -> list[str]:
        """Background first, then the steps of both recipes."""
        return ["background", *sorted({step for steps in RECIPES.values() for step in steps})]

    @property
    def goals(self) -> list[str]:
        """The two recipes."""
        return list(RECIPES)

    def records(self, split: Split) -> list[VideoRecord]:
        """Every fourth video is for validation, every fourth for test."""
        return [record for number, record in enumerate(self.all_records) if SPLIT_OF[number % 4] == split]

    @cached_property
    def all_records(self) -> list[VideoRecord]:
        """All videos, made at the first use."""
        directions = np.random.default_rng(0).normal(size=(len(self.class_names), self.tokens_per_frame, self.width))
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        directions[self.class_names.index("add salt")] = directions[self.class_names.index("add sugar")]
        return [self._video(number, directions) for number in range(self.num_videos)]

    def _video(self, number: int, directions: np.ndarray) -> VideoRecord:
        rng = np.random.default_rng([1, number])
        goal = number // 4 % len(RECIPES)
        segments, now = [], 0
        for step in RECIPES[self.goals[goal]]:
            start = now + int(rng.integers(0, 4))
            now = start + int(rng.integers(4, 9))
            segments.append(Segment(self.class_names.index(step), start, now))
        labels = np.zeros(now + 3, dtype=np.int64)
        for label, start, end in segments:
            labels[start:end] = label
        shape = (len(labels), self.tokens_per_frame, self.width)
        frames = (directions[labels] + self.noise * rng.normal(size=shape)).astype(np.float32)
        return VideoRecord(f"toy_{number:02d}", ArrayFrames(frames, FPS), segments, goal=goal)

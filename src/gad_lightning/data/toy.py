"""Data that needs nothing: tiny sequences made in memory, and the rendered kitchen."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from gad_lightning.atomic import make_folder
from gad_lightning.data.arrays import ArrayFrames
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.data.own import OwnVideos
from gad_lightning.data.records import VideoRecord
from gad_lightning.segments import Segment
from gad_lightning.video.kitchen.synthetic import KITCHEN_CLASSES, KITCHEN_GOALS, render_kitchen

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


class KitchenVideos(OwnVideos):
    """The rendered kitchen, through the way of your own videos: rendered at the first use, decoded and encoded once.

    Args:
        root: folder for the videos, their CSV files and their features.
        num_videos: at least 4, of about 40 s each.
        kitchen_seed: everything drawn is a pure function of it; ``seed`` only orders the training.
        **own: ``fps``, ``encoder`` and all of :class:`~gad_lightning.ActionDataModule`.
    """

    def __init__(
        self, root: Path | str = "runs/kitchen", num_videos: int = 60, kitchen_seed: int = 0, **own: Any
    ) -> None:
        super().__init__(root, **own)
        self.num_videos = num_videos
        self.kitchen_seed = kitchen_seed

    def render(self) -> None:
        """Render the videos that are not there; one process does while others wait."""
        with FileLock(make_folder(self.root) / ".lock"):
            render_kitchen(self.root, self.num_videos, self.kitchen_seed, progress=sys.stderr.isatty())

    def records(self, split: Split) -> list[VideoRecord]:
        """Render what is missing, then list the videos of a split."""
        self.render()
        return super().records(split)

    @property
    def class_names(self) -> Sequence[str]:
        """Background first, then the steps of all recipes, rendered or not."""
        return KITCHEN_CLASSES

    @property
    def goals(self) -> Sequence[str]:
        """The recipes."""
        return KITCHEN_GOALS

"""Recipes whose steps come in several orders: timelines of kitchen steps with simulated features."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from typing_extensions import override

from gad_lightning.data.arrays import ArrayFrames
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.data.records import VideoRecord
from gad_lightning.data.simulated.features import Appearance
from gad_lightning.segments import Segment
from gad_lightning.video.kitchen.synthetic import KITCHEN_CLASSES

RECIPES, STEPS, ORDERS = 8, 5, 4
COUNTS: dict[Split, int] = {"train": 192, "val": 96, "test": 256}
FPS, WIDTH, NOISE, SKIPPED = 4.0, 64, 1.5, 0.1


class KitchenOrders(ActionDataModule):
    """Eight recipes of five steps out of the kitchen's, each done in four orders, two of which end with the same step.

    A step lasts 1 to 3 s, up to 1 s of background comes before it, and one in ten is left out. A frame is the random
    look of its class and noise. Recipes are the goals.

    Args:
        **loading: see :class:`~gad_lightning.ActionDataModule`.
    """

    @property
    def class_names(self) -> tuple[str, ...]:
        """Those of the kitchen."""
        return KITCHEN_CLASSES

    @property
    def goals(self) -> list[str]:
        """The recipes."""
        return [f"recipe {number}" for number in range(RECIPES)]

    @cached_property
    def orders(self) -> list[list[list[int]]]:
        """Classes of the steps, for every recipe and order."""
        rng = np.random.default_rng(0)
        found = []
        for _ in range(RECIPES):
            steps = rng.choice(np.arange(1, len(KITCHEN_CLASSES)), STEPS, replace=False)
            orders: list[list[int]] = []
            while len(orders) < ORDERS:
                last = int(steps[len(orders) // 2])  # orders 0 and 1 end alike, and so do 2 and 3
                order = [int(step) for step in rng.permutation(steps) if step != last] + [last]
                orders += [] if order in orders else [order]
            found.append(orders)
        return found

    @cached_property
    def appearance(self) -> Appearance:
        """What the classes look like."""
        return Appearance(len(KITCHEN_CLASSES), 1, WIDTH, NOISE, seed=0)

    @override
    def records(self, split: Split) -> list[VideoRecord]:
        first = sum(COUNTS[name] for name in list(COUNTS)[: list(COUNTS).index(split)])
        return [self._video(number) for number in range(first, first + COUNTS[split])]

    def _video(self, number: int) -> VideoRecord:
        rng = np.random.default_rng([1, number])
        goal = number % RECIPES
        segments, now = [], 0
        for step in self.orders[goal][number // RECIPES % ORDERS]:
            if rng.random() < SKIPPED:
                continue
            start = now + int(rng.integers(0, int(FPS) + 1))
            now = start + int(rng.integers(int(FPS), 3 * int(FPS) + 1))
            segments.append(Segment(step, start, now))
        labels = np.zeros(now + 4, dtype=np.int64)
        for label, start, end in segments:
            labels[start:end] = label
        frames = self.appearance.frames(labels, number, np.arange(len(labels)))
        return VideoRecord(f"orders_{number:03d}", ArrayFrames(frames, FPS, "orders"), segments, goal=goal)

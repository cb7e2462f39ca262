"""Simulated videos whose difficulty is set by dials: shared words, like looks, telling history."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from typing_extensions import override

from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.data.records import VideoRecord, timeline
from gad_lightning.data.simulated.features import Appearance, SimulatedFeatures
from gad_lightning.data.simulated.texts import made_names
from gad_lightning.data.windows import IntArray
from gad_lightning.errors import SettingError
from gad_lightning.schema import LabelSet, Task
from gad_lightning.segments import Segment, cut
from gad_lightning.types import IGNORED


class GroupedAppearance(Appearance):
    """Looks of which those of one group are alike; each is still a random vector of unit spread.

    Args:
        alone: classes of no group (the background), whose looks are like no other.
        group_size: classes of a group, drawn at random; what is left over forms a smaller one.
        similarity: expected correlation of the looks of one group, in [0, 1]; between groups it is 0.
        num_classes, tokens_per_frame, width, noise, seed: see :class:`Appearance`.
    """

    def __init__(
        self,
        alone: Sequence[int],
        group_size: int,
        similarity: float,
        num_classes: int,
        tokens_per_frame: int,
        width: int,
        noise: float,
        seed: int,
    ) -> None:
        super().__init__(num_classes, tokens_per_frame, width, noise, seed)
        rng = np.random.default_rng([seed, 3])
        grouped = rng.permutation([index for index in range(num_classes) if index not in alone])
        self.group: IntArray = np.full(num_classes, -1, dtype=np.int64)
        self.group[grouped] = np.arange(len(grouped)) // group_size
        size = (-(-len(grouped) // group_size), tokens_per_frame, width)
        ours = rng.standard_normal(size, dtype=np.float32)[self.group[grouped]]
        self.looks[grouped] = similarity**0.5 * ours + (1 - similarity) ** 0.5 * self.looks[grouped]


class SimulatedDials(SimulatedFeatures):
    """Videos on the timelines of another data module, with three dials from 0 to 1, each turned alone.

    Where actions begin and end stays as annotated. Names, looks and order of the actions are drawn apart from one
    another, so that a classifier's score moves with a dial for one reason only. What is drawn at one position of a dial
    is drawn at all others too, so that runs differ in nothing else and can be compared in pairs. The controls are
    ``overlap: 0``, ``similarity: 0`` and ``history: 0``.

    Args:
        source: gives the timelines, such as :class:`~gad_lightning.SyntheticTimelines` or an
            official data set with ``features: null``; one task, asked at every frame.
        overlap: how far the names of the actions share words: at 0 no two names share one, at 1 every word stands in
            many names; see ``gad_lightning.data.simulated.texts``. Exact for tokenizers whose tokens
            are words, as the tiny backbone's are.
        similarity: correlation of the looks of the actions of one group; at 1 one cannot see which of them it is.
        history: how much an action tells of the next one, in [0, 1]: with this probability it is followed by the one
            action that belongs after it, else by any, all alike (in nats: ``told_by_history`` in the same file). None
            keeps the actions as annotated.
        num_classes: actions to draw from, with ``history``; as many as the source has if None.
        words: words of an action's name.
        group_size: actions of a group.
        dial_seed: of names and order; ``look_seed`` is that of looks and groups.
        **features: see :class:`~gad_lightning.SimulatedFeatures`.
    """

    def __init__(
        self,
        source: ActionDataModule,
        overlap: float = 0.0,
        similarity: float = 0.0,
        history: float | None = None,
        num_classes: int | None = None,
        words: int = 3,
        group_size: int = 4,
        dial_seed: int = 0,
        **features: Any,
    ) -> None:
        super().__init__(source, **features)
        self.overlap, self.similarity, self.history = overlap, similarity, history
        self.num_classes, self.words, self.group_size = num_classes, words, group_size
        self.dial_seed = dial_seed

    def check(self) -> None:
        """Refuse dials that cannot be turned that far.

        Raises:
            SettingError: naming setting and value.
        """
        for name in ("overlap", "similarity", "history"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise SettingError(f"data.{name} is a dial from 0 to 1, got {value}.", f"correct data.{name}")
        classes = 2 if self.num_classes is None else self.num_classes
        counts = (("words", self.words, 1), ("group_size", self.group_size, 1), ("num_classes", classes, 2))
        for name, count, least in counts:
            if count < least:
                raise SettingError(f"data.{name} must be at least {least}, got {count}.", f"raise data.{name}")
        if self.num_classes is not None and self.history is None:
            raise SettingError(
                f"data.num_classes is {self.num_classes}, and without data.history the actions stay as annotated.",
                "set data.history, or leave out data.num_classes",
            )
        first = self.source.tasks[0]
        if len(self.source.tasks) > 1 or not first.per_frame or first.labels.multi_label:
            raise SettingError(
                f"The dials need a source with one task and one label a frame; {type(self.source).__name__} has "
                f"{len(self.source.tasks)} tasks, multi_label {first.labels.multi_label}.",
                "use another data.source",
            )

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """The source's task with names made up; background and ignored class keep theirs."""
        self.check()
        task = self.source.tasks[0]
        names, background, ignore = task.labels[:3]
        if self.history is not None:
            kept = [names[index] for index in (background, ignore) if index is not None]
            size = len(names) - len(kept) if self.num_classes is None else self.num_classes
            background = None if background is None else 0
            ignore = None if ignore is None else len(kept) - 1
            names = (*kept, *([""] * size))
        alone = (background, ignore)
        made = iter(made_names(len(names) - sum(index is not None for index in alone), *self.dials_of_names))
        written = tuple(name if index in alone else next(made) for index, name in enumerate(names))
        return (task._replace(labels=LabelSet(written, background, ignore)),)

    @property
    def dials_of_names(self) -> tuple[int, float, int]:
        """Words, overlap and seed."""
        return self.words, self.overlap, self.dial_seed

    @property
    def class_names(self) -> Sequence[str]:
        """The names made up."""
        return self.tasks[0].labels.names

    @cached_property
    def actions(self) -> IntArray:
        """The classes that names and groups are made for."""
        names, *alone = self.tasks[0].labels
        return np.array([index for index in range(len(names)) if index not in alone], dtype=np.int64)

    @cached_property
    def successor(self) -> IntArray:
        """Per class, the one that belongs after it: one circle through all actions."""
        order = self.actions[np.random.default_rng([self.dial_seed, 4]).permutation(len(self.actions))]
        after = np.arange(len(self.class_names))
        after[order] = np.roll(order, -1)
        return after

    @cached_property
    def appearance(self) -> GroupedAppearance:
        """Looks in groups."""
        plain = super().appearance  # checks the settings
        alone = sorted(set(range(len(self.class_names))) - set(self.actions.tolist()))
        sizes = (self.tokens_per_frame, self.width, self.noise, plain.seed)
        return GroupedAppearance(alone, self.group_size, self.similarity, len(self.class_names), *sizes)

    @property
    def encoder(self) -> str:
        """Features of other looks are others."""
        return f"{super().encoder}-groups{self.group_size}-{self.similarity:g}"

    @override
    def annotated(self, split: Split) -> list[VideoRecord]:
        records = self.source.records(split)
        return records if self.history is None else [self.retold(record) for record in records]

    def retold(self, record: VideoRecord) -> VideoRecord:
        """The same stretches with other actions, drawn one after the other."""
        laid = timeline(replace(record, queries=None), self.source.tasks[0].labels)
        rng = np.random.default_rng([self.dial_seed, zlib.crc32(record.name.encode())])
        told = rng.random(len(laid.segments)) < (self.history or 0.0)
        label, drawn = -1, self.actions[rng.integers(len(self.actions), size=len(told))]
        segments = []
        for index, (_, start, end) in enumerate(laid.segments.tolist()):
            label = int(self.successor[label]) if told[index] and label >= 0 else int(drawn[index])
            segments.append(Segment(label, start, end))
        labels = laid.queries.label if laid.queries.label.ndim == 1 else laid.queries.label.argmax(1)
        unscored = cut(np.where(labels == IGNORED, 1, 0).tolist(), skip=[0])
        return replace(record, labels=None, segments=[*segments, *(Segment(IGNORED, *row[1:]) for row in unscored)])


def told_by_history(history: float, num_classes: int) -> float:
    """Mutual information of an action and the next one, in nats: from 0 to ``ln(num_classes)``.

    Example:
        >>> told_by_history(0.0, 24), round(told_by_history(1.0, 24), 3), round(told_by_history(0.5, 24), 3)
        (0.0, 3.178, 0.983)
    """
    other = (1 - history) / num_classes
    follows = history + other
    rest = (num_classes - 1) * other * math.log(other) if other else 0.0
    return max(0.0, math.log(num_classes) + follows * math.log(follows) + rest)

"""COIN: clips of instructional videos: the step, the next step, the whole task."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from typing_extensions import override

from gad_lightning.data.base import Split
from gad_lightning.data.benchmarks.annotation_files import ExpectedFile, read_json
from gad_lightning.data.benchmarks.videos import BenchmarkVideos
from gad_lightning.data.records import FeatureSource, Queries, VideoRecord
from gad_lightning.errors import SettingError
from gad_lightning.schema import LabelSet, Task
from gad_lightning.segments import Segment

Asked = Literal["step", "next", "task"]
ASKED: tuple[Asked, ...] = ("step", "next", "task")
SUBSETS = {"training": "train", "testing": "test"}
REWRITTEN = {
    "process (crop, fold) paper": "crop and fold paper",
    "try to press gun head, spray residual old grease": "try to press gun head to spray residual old grease",
}
"""Two step texts that the published code rewrites, as commas separate the parts of an answer."""


class Step(NamedTuple):
    """One annotated step."""

    name: str
    start: float  # seconds
    end: float  # seconds


class Clip(NamedTuple):
    """One question about a stretch of a video."""

    first: int  # frame
    last: int  # frame, inclusive
    label: int
    task: int
    horizon: int


class COIN(BenchmarkVideos):
    """Three questions about clips, asked together: which step, which step comes next, which task.

    .. code-block:: text

        root/
          COIN.json
          features/<video>.pt       (F, 10, 1024) or any other features, 2 frames a second

    Annotations: https://github.com/coin-dataset/annotations; the file may be gzipped. Features are those of the whole
    video; make them with ``gad-lightning encode``.

    Tasks, see ``schema``: ``step`` asks about the frames of each annotated step, ``next`` about the same frames for
    the step after it (horizon 1; not of a video's last step), ``task`` about the stretch from the video's annotated
    ``start`` to ``end`` (its first to its last step where those are not given). ``step`` and ``next`` choose from one
    label set, the 749 different step texts (of 778 step numbers, some of which occur in several tasks with one text);
    ``task`` from the 180 tasks. Texts are in small letters and in alphabetical order, as published. The task is the
    goal of the video too. Time ``t`` is frame ``ceil(t * fps)``, or the last one; both ends of a clip are shown.

    A clip longer than ``short_memory`` frames is thinned evenly, as the published GAD does; its discriminative code
    keeps the first ones (``long_clips: first``), and its generative code loses the clip, which is not imitated.

    Args:
        root: the folder.
        tasks: what is asked: ``step``, ``next``, ``task``, or some of them.
        features: see :class:`~gad_lightning.BenchmarkVideos`.
        annotations: the annotation files, one after the other; of a video that stands in several, the first.
        long_clips: what becomes of clips longer than ``short_memory``: ``even`` thins them, ``first`` cuts them.
        short_memory: most frames of a clip.
        stride: in training, every n-th question of a video; 1 asks all of them in every epoch.
        **released: see :class:`~gad_lightning.BenchmarkVideos`.

    Source: Tang et al., COIN: a large-scale dataset for comprehensive instructional video analysis, CVPR 2019.
    """

    background = None
    published_fps = 2.0
    files: ClassVar[tuple[ExpectedFile, ...]] = (
        ExpectedFile(("COIN*.json",), "all annotations", "https://github.com/coin-dataset/annotations"),
    )

    def __init__(
        self,
        root: Path | str,
        tasks: Sequence[Asked] = ASKED,
        features: str | list[str] | None = "features",
        annotations: Sequence[str] = ("COIN.json",),
        long_clips: Literal["even", "first"] = "even",
        short_memory: int = 1200,
        stride: int = 1,
        **released: Any,
    ) -> None:
        super().__init__(root=root, features=features, short_memory=short_memory, stride=stride, **released)
        self.asked = [task for task in ASKED if task in tasks]  # the first label set must be that of the segments
        self.given_tasks = tasks
        self.annotation_files = annotations
        self.long_clips = long_clips

    @cached_property
    def database(self) -> dict[str, dict[str, Any]]:
        """The annotation of every video."""
        merged: dict[str, dict[str, Any]] = {}
        for name in reversed(self.annotation_files):
            merged |= read_json(self.find("the annotations", name), "database")
        return merged

    @cached_property
    def class_names(self) -> list[str]:
        """The different step texts, in alphabetical order."""
        return sorted({step.name for steps in self.steps.values() for step in steps})

    @cached_property
    def goals(self) -> list[str]:
        """The tasks, in alphabetical order."""
        return sorted({_split_words(about["class"]) for about in self.database.values()})

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """What is asked, each once a clip; ``step`` and ``next`` share a label set.

        Raises:
            SettingError: if nothing or something unknown is asked.
        """
        if not self.asked or set(self.given_tasks) - set(ASKED):
            raise SettingError(f"data.tasks is {list(self.given_tasks)}.", f"choose one or more of {', '.join(ASKED)}")
        sets = {"step": self.class_names, "next": self.class_names, "task": self.goals}
        return tuple(Task(name, LabelSet(tuple(sets[name])), per_frame=False) for name in self.asked)

    @cached_property
    def steps(self) -> dict[str, list[Step]]:
        """The steps of every video, as they are listed."""
        return {
            video: [Step(_clean_step(step["label"]), *map(float, step["segment"])) for step in about["annotation"]]
            for video, about in self.database.items()
        }

    @override
    def sessions(self, split: Split) -> list[str]:
        return [name for name, about in self.database.items() if SUBSETS.get(about["subset"]) == split]

    @override
    def seconds(self, video: str) -> float:
        return float(self.database[video]["duration"])

    @override
    def record(self, video: str, split: Split, frames: FeatureSource) -> VideoRecord:
        labels = [self.class_indices[step.name] for step in self.steps[video]]
        goal = self.goals.index(_split_words(self.database[video]["class"]))
        spans = [_on_frames(step.start, step.end, frames) for step in self.steps[video]]
        region = _on_frames(*self.region(video), frames)
        clips = self.clips(spans, labels, region, goal)
        first, last, label, task, horizon = np.array(clips, dtype=np.int64).reshape(-1, len(Clip._fields)).T
        shown = zip(labels, spans, strict=True) if self.asked != ["task"] else [(goal, region)]
        segments = [Segment(label, first, last + 1) for label, (first, last) in shown]
        return VideoRecord(video, frames, segments, goal=goal, queries=Queries(last, label, task, horizon, first))

    def region(self, video: str) -> tuple[float, float]:
        """The stretch in which the task is done, in seconds."""
        about, steps = self.database[video], self.steps[video]
        return about.get("start", steps[0].start), about.get("end", steps[-1].end)

    def clips(
        self, spans: Sequence[tuple[int, int]], labels: Sequence[int], region: tuple[int, int], goal: int
    ) -> list[Clip]:
        """The questions about one video: all steps, all next steps, the task."""
        asked: dict[str, list[tuple[tuple[int, int], int, int]]] = {
            "step": [(span, label, 0) for span, label in zip(spans, labels, strict=True)],
            "next": [(span, label, 1) for span, label in zip(spans[:-1], labels[1:], strict=True)],
            "task": [(region, goal, 0)],
        }
        most = self.windows.frames if self.long_clips == "first" else None
        return [
            Clip(first, last if most is None else min(last, first + most - 1), label, number, horizon)
            for number, name in enumerate(self.asked)
            for (first, last), label, horizon in asked[name]
        ]

    @cached_property
    def class_indices(self) -> dict[str, int]:
        """Index of every step text."""
        return {name: index for index, name in enumerate(self.class_names)}


def _clean_step(text: str) -> str:
    """Small letters, and the two texts with commas rewritten.

    Example:
        >>> _clean_step("process (crop, fold) paper"), _clean_step("press the SIM card slot back")
        ('crop and fold paper', 'press the sim card slot back')
    """
    return REWRITTEN.get(text, text).lower()


def _on_frames(start: float, end: float, frames: FeatureSource) -> tuple[int, int]:
    """First and last frame of a stretch in seconds, both inclusive: times are rounded up, and cut at the last frame.

    Source: the public code of Pang et al., ICLR 2026, itself that of VideoLLM-online, Chen et al., CVPR 2024.
    """
    last = frames.num_frames - 1
    first, final = (min(max(math.ceil(time * frames.spec.fps - 1e-6), 0), last) for time in (start, end))
    return first, final


def _split_words(name: str) -> str:
    """Write an identifier as small words; a run of capitals is one word, unlike in :func:`_split_capitals`.

    Example:
        >>> _split_words("ReplaceCDDriveWithSSD"), _split_words("MakeRJ45Cable"), _split_words("PitchATent")
        ('replace cd drive with ssd', 'make rj45 cable', 'pitch a tent')
    """
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]+\d*(?![a-z])|[A-Z][^A-Z]*|[^A-Z]+", name)
    return " ".join(words).lower()

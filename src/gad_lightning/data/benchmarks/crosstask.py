"""CrossTask: 18 everyday tasks in instructional web videos."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from typing_extensions import override

from gad_lightning.data.base import Split
from gad_lightning.data.benchmarks.actions import Annotation, BenchmarkActions, TimedSegment
from gad_lightning.data.benchmarks.annotation_files import ARCHIVES, ExpectedFile, missing, read_members
from gad_lightning.errors import DataError, MissingDataError

DISCARDED = (
    *("9rPmr8dPX70", "PZh3Jkel3Ds", "Q_g8VZ-m720", "QNdlI7Fpc6M", "E5HA-ZsDdMg"),  # of the test videos
    *("MG8Frk8xCnM", "bo355kAfADM", "iGi3Wsx9MZU", "7LqVD40qcq4", "zspSsRGjLTw", "fkJVun3NveM", "NYpQ6GJCBVI"),
    *("i4xTz_OwlSQ", "igKDiI3s5As", "rq-nNfUrgNc", "cugUlvHB430", "vB16Dbjz8oo", "rEOuV_NMcu8", "JDVujgjtkPI"),
    *("Z3ylY7Xv3XE", "4YoKs6cmjps", "Gy3MURE_2Jw"),
)
"""Videos that the published code sets aside, without a reason; it does so at test only, which leaves 552 of 557."""
FOLDER = "crosstask_release"


class PrimaryTask(NamedTuple):
    """One task of ``tasks_primary.txt``."""

    name: str
    steps: tuple[str, ...]


class CrossTask(BenchmarkActions):
    """Trains on 2,193 videos of 18 tasks and tests on 552 (557 less five discarded ones), as published.

    .. code-block:: text

        root/
          crosstask_release/      tasks_primary.txt, videos_val.csv, annotations/<task>_<video>.csv
                                  or the archive of these files, .zip or .tar.gz
          data_info.json          for the published splits: of a feature release, key CrossTask
          vitg14_rgb_fps1_h224_w224/<video>.npy    (F, 1536), one frame a second
          target_perframe/<video>.npy              optional: (F, 106) of 0 and 1, instead of the annotations

    Annotations: https://github.com/DmZhukov/CrossTask. ``data_info.json``: https://github.com/pangzhan27/GAD,
    ``datasets/CrossTask``. The JSON file may be gzipped.

    106 classes: the background and the 105 different steps in the order of ``tasks_primary.txt``. The task of a video
    is its goal. The files do not say how long a video is: without features it ends with its last step.

    Args:
        root: the folder.
        features: see :class:`~gad_lightning.BenchmarkVideos`.
        split: ``published`` is that of ``data_info.json``; ``official`` tests on the 360 videos of ``videos_val.csv``.
        discarded: where the 22 discarded videos are left out: at ``test`` as published (five of them are test videos),
            ``everywhere`` or ``nowhere``.
        short_memory: in frames; the published 20 s.
        long_memory: frames before those; the published 128 s.
        **released: see :class:`~gad_lightning.BenchmarkActions`.

    Source: Zhukov et al., Cross-task weakly supervised learning from instructional videos, CVPR 2019.
    """

    key = "CrossTask"
    published_fps = 1.0
    files: ClassVar[tuple[ExpectedFile, ...]] = (
        ExpectedFile(
            (f"{FOLDER}/tasks_primary.txt", *ARCHIVES, "tasks_primary.txt"),
            "tasks, steps and annotations",
            "https://github.com/DmZhukov/CrossTask",
        ),
        ExpectedFile(
            ("data_info.json",),
            "published splits",
            "https://github.com/pangzhan27/GAD, datasets/CrossTask",
            needed=False,
        ),
    )

    def __init__(
        self,
        root: Path | str,
        features: str | list[str] | None = "vitg14_rgb_fps1_h224_w224",
        split: Literal["published", "official"] = "published",
        discarded: Literal["test", "everywhere", "nowhere"] = "test",
        short_memory: int = 20,
        long_memory: int = 128,
        **released: Any,
    ) -> None:
        super().__init__(root=root, features=features, short_memory=short_memory, long_memory=long_memory, **released)
        self.split = split
        self.discarded = discarded

    @cached_property
    def release(self) -> dict[str, str]:
        """Texts of the official release by file name."""
        wanted = ("tasks_primary.txt", "videos_val.csv", "annotations/*.csv")
        texts = read_members(self.root, *(f"{FOLDER}/{name}" for name in wanted)) or read_members(self.root, *wanted)
        if "tasks_primary.txt" not in texts:
            raise missing("CrossTask: the annotations were not found.", self.root, self.expected)
        return texts

    @cached_property
    def primary_tasks(self) -> dict[str, PrimaryTask]:
        """The 18 annotated tasks by number.

        Raises:
            DataError: if the file is not as its readme says.
        """
        text = "\n".join(line.strip() for line in self.release["tasks_primary.txt"].splitlines())
        blocks = [block.split("\n") for block in text.strip().split("\n\n")]
        if any(len(block) < 5 for block in blocks):
            raise DataError("tasks_primary.txt has a task of fewer than five lines.", "download it again")
        return {number: PrimaryTask(name, tuple(steps.split(","))) for number, name, _, _, steps, *_ in blocks}

    @property
    def goals(self) -> list[str]:
        """Names of the 18 tasks, in the order of the file."""
        try:
            return [task.name for task in self.primary_tasks.values()]
        except MissingDataError:
            return []

    @cached_property
    def annotations(self) -> Mapping[str, Annotation]:
        """Steps of all 2,750 videos."""
        annotated = {}
        for name, text in self.release.items():
            number, _, video = name.removesuffix(".csv").partition("_")
            if number in self.primary_tasks:
                task = self.primary_tasks[number]
                segments = list(_read_steps(name, text, task.steps))
                annotated[video] = Annotation(
                    segments, max((part.end for part in segments), default=0.0), task.name, stated=False
                )
        return annotated

    def official_names(self) -> list[str]:
        """The background, and the different steps in the order of the tasks."""
        return list(
            dict.fromkeys(["background", *(step for task in self.primary_tasks.values() for step in task.steps)])
        )

    def official_sessions(self, split: Split) -> list[str]:
        """The annotated videos; those of ``videos_val.csv`` are for test."""
        if "videos_val.csv" not in self.release:
            raise missing("CrossTask: the official split (videos_val.csv) was not found.", self.root, self.expected)
        held = {row[1] for row in csv.reader(io.StringIO(self.release["videos_val.csv"])) if len(row) > 1}
        return [video for video in self.annotations if split != "val" and (video in held) == (split == "test")]

    @override
    def sessions(self, split: Split) -> list[str]:
        if self.split == "published" and self.info is None:
            raise missing(
                "CrossTask: the published splits are in data_info.json, which was not found (data.split: official "
                "needs none).",
                self.root,
                self.expected,
            )
        names = self.official_sessions(split) if self.split == "official" else super().sessions(split)
        dropped = self.discarded == "everywhere" or (self.discarded == "test" and split == "test")
        return [name for name in names if not (dropped and name in DISCARDED)]


def _read_steps(name: str, text: str, steps: Sequence[str]) -> Iterator[TimedSegment]:
    """Read ``step,start,end`` rows, steps counted from 1.

    Raises:
        DataError: if a row is something else, naming the file.
    """
    for row in csv.reader(io.StringIO(text)):
        try:
            number, start, end = int(row[0]), float(row[1]), float(row[2])
            label = steps[number - 1] if number > 0 else None
        except (ValueError, IndexError):
            label = None
        if label is None:
            raise DataError(
                f"The annotation {name} has the row {','.join(row)!r}; expected a step from 1 to {len(steps)}, a start "
                "and an end.",
                "download it again",
            )
        yield TimedSegment(label, start, end)

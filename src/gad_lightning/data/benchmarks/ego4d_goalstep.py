"""Ego4D Goal-Step: steps of cooking and housekeeping in long egocentric videos."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from typing_extensions import override

from gad_lightning.data.base import Split
from gad_lightning.data.benchmarks.actions import Annotation, BenchmarkActions, TimedSegment
from gad_lightning.data.benchmarks.annotation_files import ExpectedFile, find_file, read_json, read_table

SOURCE = "https://github.com/facebookresearch/ego4d-goalstep"
RELEASE = "https://github.com/pangzhan27/GAD, datasets/Ego4D-GoalStep"
PARTS = {"train": "train", "val": "valid", "test": "test"}
FOREVER = 1e6
"""Seconds that no video lasts: what is not labeled at all is not scored from beginning to end."""


class Ego4DGoalStep(BenchmarkActions):
    """Trains on 583 videos and tests on the 134 validation videos, whose labels are public.

    .. code-block:: text

        root/
          goalstep_train.json, goalstep_valid.json
          goalstep_test.json            for test_on: test
          goalstep_video_groups.tsv     optional: which videos were taken on one occasion
          ego4d-goal_info.json          or data_info.json with the key Ego4DGoal: the published class list and splits
          features/dinov2-giant/<video>.pt    (F, 1536), one frame a second
          target_perframe/<video>.npy         optional: (F, 512) of 0 and 1, instead of the annotations

    Annotations: https://github.com/facebookresearch/ego4d-goalstep, ``data``. Class list:
    https://github.com/pangzhan27/GAD, ``datasets/Ego4D-GoalStep``. All text files may be gzipped.

    512 classes: the background and 511 step texts in alphabetical order. The text is the ``step_category`` without its
    group (``"General activity: Use phone"`` is ``use phone``), of steps and substeps alike; where a step and its
    substep share a frame, the lower class is its label. Without ``ego4d-goal_info.json`` the classes are all texts of
    training and validation, which are a few more. A segment of a class that the list lacks is not scored (4 of 7,696
    validation segments). The goal is the ``goal_category`` without its group. Videos of one occasion are a group.

    Args:
        root: the folder.
        features: see :class:`~gad_lightning.BenchmarkVideos`.
        test_on: ``val`` tests on the validation videos, as published; ``test`` lists the 134 test videos, whose labels
            are secret: they can be predicted only, unless ``target_perframe`` has them.
        short_memory: in frames; the published 16 s.
        long_memory: frames before those; the published 128 s.
        **released: see :class:`~gad_lightning.BenchmarkActions`.

    Source: Song et al., Ego4D Goal-Step: toward hierarchical understanding of procedural activities, NeurIPS 2023.
    """

    key = "Ego4DGoal"
    info_files = ("ego4d-goal_info.json", "data_info.json")
    published_fps = 1.0
    files: ClassVar[tuple[ExpectedFile, ...]] = (
        ExpectedFile(("goalstep_train.json",), "segments of the training videos", SOURCE),
        ExpectedFile(("goalstep_valid.json",), "segments of the validation videos", SOURCE),
        ExpectedFile(("goalstep_test.json",), "names of the test videos", SOURCE, needed=False),
        ExpectedFile(("goalstep_video_groups.tsv",), "videos taken on one occasion", SOURCE, needed=False),
        ExpectedFile(("ego4d-goal_info.json", "data_info.json"), "classes and splits", RELEASE, needed=False),
    )

    def __init__(
        self,
        root: Path | str,
        features: str | list[str] | None = "features/dinov2-giant",
        test_on: Literal["val", "test"] = "val",
        short_memory: int = 16,
        long_memory: int = 128,
        **released: Any,
    ) -> None:
        super().__init__(root=root, features=features, short_memory=short_memory, long_memory=long_memory, **released)
        self.test_on = test_on

    @cached_property
    def parts(self) -> dict[str, list[dict[str, Any]]]:
        """The videos of every file that is there."""
        found = {part: find_file(self.root, f"goalstep_{name}.json") for part, name in PARTS.items()}
        if not any(found.values()):
            self.find("the annotations", *(f"goalstep_{name}.json" for name in PARTS.values()))
        return {part: read_json(path, "videos") for part, path in found.items() if path is not None}

    @cached_property
    def groups(self) -> dict[str, str]:
        """Per video, the first video of its occasion."""
        path = find_file(self.root, "goalstep_video_groups.tsv")
        rows = [] if path is None else read_table(path, ("video_group",), delimiter="\t")
        lists = [ast.literal_eval(row["video_group"]) for row in rows]
        return {video: videos[0] for videos in lists for video in videos}

    @cached_property
    def annotations(self) -> Mapping[str, Annotation]:
        """Steps and substeps of all videos in the files; of a test video, that nothing is known."""
        annotated = {}
        for video in (video for videos in self.parts.values() for video in videos):
            name = video["video_uid"]
            group = self.groups.get(name)
            if "segments" not in video:
                annotated[name] = Annotation([TimedSegment(None, 0.0, FOREVER)], 1.0, group=group, stated=False)
                continue
            segments = list(_walk(video["segments"]))
            goal = _text_of(video["goal_category"]).replace("_", " ")
            annotated[name] = Annotation(segments, float(video["end_time"]), goal, group)
        return annotated

    @cached_property
    def goals(self) -> list[str]:
        """Goal names: those of the class list, or else all that are annotated, in alphabetical order."""
        if self.info is not None:
            return [name.replace("_", " ") for name in self.info.goals]
        return sorted({about.goal for about in self.annotations.values() if about.goal is not None})

    def official_names(self) -> list[str]:
        """The background, and all annotated step texts in alphabetical order."""
        named = {segment.label for about in self.annotations.values() for segment in about.segments}
        return ["background", *sorted(label for label in named if label is not None)]

    def official_sessions(self, split: Split) -> list[str]:
        """The videos of a file, in its order."""
        return [video["video_uid"] for video in self.parts.get(split, ())]

    @override
    def sessions(self, split: Split) -> list[str]:
        if split == "val":
            return []
        return super().sessions(self.test_on if split == "test" else split)


def _walk(segments: list[dict[str, Any]]) -> Iterator[TimedSegment]:
    """Yield steps, each followed by its substeps."""
    for segment in segments:
        yield TimedSegment(_text_of(segment["step_category"]), float(segment["start_time"]), float(segment["end_time"]))
        yield from _walk(segment.get("segments", []))


def _text_of(category: str) -> str:
    """Drop the group of a category and its capitals.

    Example:
        >>> _text_of("General activity: Use phone"), _text_of("COOKING:MAKE_BREAD")
        ('use phone', 'make_bread')
    """
    return category.split(":", 1)[-1].strip().lower()

"""THUMOS'14: twenty sports in untrimmed web videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from typing_extensions import override

from gad_lightning.data.base import Split
from gad_lightning.data.benchmarks.actions import Annotation, BenchmarkActions, TimedSegment
from gad_lightning.data.benchmarks.annotation_files import ARCHIVES, ExpectedFile, find_file, read_json, read_members
from gad_lightning.data.benchmarks.class_names import clean_name
from gad_lightning.data.benchmarks.perframe import FrameClasses
from gad_lightning.data.windows import IntArray
from gad_lightning.errors import DataError
from gad_lightning.segments import Segment
from gad_lightning.types import IGNORED

AMBIGUOUS = "ambiguous"
UNSCORABLE = "video_test_0001292"
"""The one test video of which nothing but ambiguous stretches is annotated."""
PARTS = {"train": "val", "test": "test"}
"""Online work trains on the official validation videos: what each split is called in the files."""


class THUMOS14(BenchmarkActions):
    """Trains on the 200 validation videos and tests on the 213 test videos, as online work does.

    .. code-block:: text

        root/
          annotations_val/*_val.txt, annotations_test/*_test.txt
                                  or the archives of these files, .zip or .tar.gz, whatever their folders are called,
                                  or thumos14_val.json, thumos14_test.json
          data_info.json          optional: of a feature release, key THUMOS
          TH14_video_info.json    optional: lengths of the videos, where there are no features
          rgb_kinetics_resnet50/<video>.npy    (F, 2048), 4 frames a second
          target_perframe/<video>.npy          optional: (F, 22) of 0 and 1, instead of the annotations

    Annotations: https://www.crcv.ucf.edu/THUMOS14/download.html. Features, ``target_perframe`` and ``data_info.json``:
    https://github.com/zhaoyue-zephyrus/TeSTra. All JSON files may be gzipped.

    Twenty-two classes: the background, 20 sports in alphabetical order, ``ambiguous``. A cliff dive is annotated as
    ``diving`` too; asked for one label, it is ``cliff diving``, the lower index.

    Args:
        root: the folder.
        features: see :class:`~gad_lightning.BenchmarkVideos`; two folders for RGB and flow.
        ambiguous: what becomes of frames that the annotators could not decide on. ``ignored``: they enter neither loss
            nor metrics, whatever else they show. ``published``: training frames that show an action too are that
            action, the others a class of their own; test frames are not scored.
        test_videos: ``listed`` is all 213; ``scorable`` leaves out the one without a single action.
        short_memory: in frames; the published 8 s.
        long_memory: frames before those; the published 32 s.
        **released: see :class:`~gad_lightning.BenchmarkActions`.

    Source: Idrees et al., The THUMOS challenge on action recognition for videos "in the wild", CVIU 2017.
    """

    key = "THUMOS"
    published_fps = 4.0
    files: ClassVar[tuple[ExpectedFile, ...]] = (
        ExpectedFile(
            ("annotations_val/*_val.txt", *ARCHIVES, "*/*_val.txt", "*/*/*_val.txt", "thumos14_val.json"),
            "annotations of the videos trained on",
            "https://www.crcv.ucf.edu/THUMOS14/download.html",
        ),
        ExpectedFile(
            ("annotations_test/*_test.txt", *ARCHIVES, "*/*_test.txt", "*/*/*_test.txt", "thumos14_test.json"),
            "annotations of the test videos",
        ),
        ExpectedFile(
            ("data_info.json",), "classes and splits", "https://github.com/zhaoyue-zephyrus/TeSTra", needed=False
        ),
        ExpectedFile(("TH14_video_info.json",), "lengths of the videos, where there are no features", needed=False),
    )

    def __init__(
        self,
        root: Path | str,
        features: str | list[str] | None = "rgb_kinetics_resnet50",
        ambiguous: Literal["ignored", "published"] = "ignored",
        test_videos: Literal["listed", "scorable"] = "listed",
        short_memory: int = 32,
        long_memory: int = 128,
        **released: Any,
    ) -> None:
        super().__init__(root=root, features=features, short_memory=short_memory, long_memory=long_memory, **released)
        self.published = ambiguous == "published"
        self.ignored = None if self.published else AMBIGUOUS
        self.test_videos = test_videos

    @cached_property
    def annotations(self) -> Mapping[str, Annotation]:
        """Segments of all 413 videos."""
        info = find_file(self.root, "TH14_video_info.json")
        lengths = {} if info is None else {name: about["duration"] for name, about in read_json(info).items()}
        annotated: dict[str, Annotation] = {}
        for part in PARTS.values():
            for video, segments in self.read_part(part).items():
                end = max(segment.end for segment in segments)
                annotated[video] = Annotation(segments, float(lengths.get(video, end)), stated=video in lengths)
        return annotated

    def read_part(self, part: str) -> dict[str, list[TimedSegment]]:
        """Segments by video of ``val`` or ``test``, from the text files or else from the JSON file."""
        segments: dict[str, list[TimedSegment]] = {}
        texts = read_members(self.root, *(f"{folder}*_{part}.txt" for folder in ("", "*/", "*/*/")))
        for name, text in texts.items():
            label = clean_name(name.removesuffix(f"_{part}.txt"))
            for line in filter(str.strip, text.splitlines()):
                try:
                    video, start, end = line.split()
                    segments.setdefault(video, []).append(TimedSegment(label, float(start), float(end)))
                except ValueError as error:
                    raise DataError(
                        f"{name} has the line {line!r}; expected a video, a start and an end.",
                        "download it again",
                    ) from error
        if texts:
            return segments
        whole = read_json(self.find(f"annotations_{part}", f"thumos14_{part}.json"))
        for video, about in whole.items():
            spans = zip(about["labels"], about["segments"], strict=True)
            segments[video] = [TimedSegment(clean_name(label), *span) for label, span in spans]
        return segments

    def official_names(self) -> list[str]:
        """The background, the sports in alphabetical order, ``ambiguous``."""
        named = {segment.label for about in self.annotations.values() for segment in about.segments}
        return ["background", *sorted(label for label in named - {AMBIGUOUS} if label is not None), AMBIGUOUS]

    def official_sessions(self, split: Split) -> list[str]:
        """The annotated videos, by name."""
        kind = {"train": "video_validation_", "test": "video_test_"}.get(split)
        return sorted(video for video in self.annotations if kind is not None and video.startswith(kind))

    @override
    def sessions(self, split: Split) -> list[str]:
        names = super().sessions(split)
        dropped = {UNSCORABLE} if self.test_videos == "scorable" else set()
        return [name for name in names if name not in dropped]

    @override
    def arrange(self, segments: Sequence[Segment], split: Split) -> list[Segment]:
        ordered = super().arrange(segments, split)
        if self.published and split == "train":
            return ordered
        marked = self.class_indices[AMBIGUOUS]
        last = [segment._replace(label=self.marked) for segment in ordered if segment.label == marked]
        return [segment for segment in ordered if segment.label != marked] + last

    @override
    def choose(self, classes: FrameClasses, split: Split) -> IntArray:
        if self.published and split == "train":
            return classes.lowest
        return np.where(classes.highest == self.class_indices[AMBIGUOUS], self.marked, classes.lowest)

    @property
    def marked(self) -> int:
        """The label of ambiguous frames outside published training."""
        return IGNORED if self.published else self.class_indices[AMBIGUOUS]

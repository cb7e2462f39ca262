"""EPIC-KITCHENS-100: what people do in their kitchens, seen from their own heads."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from gad_lightning.data.base import Split
from gad_lightning.data.benchmarks.actions import Annotation, BenchmarkActions, TimedSegment
from gad_lightning.data.benchmarks.annotation_files import ExpectedFile, find_file, read_table
from gad_lightning.errors import DataError

SOURCE = "https://github.com/epic-kitchens/epic-kitchens-100-annotations"
COLUMNS = ("video_id", "start_timestamp", "stop_timestamp")
NUM_ACTIONS = 3806
"""Pairs of a verb and a noun in the complete training and validation files."""
Row = dict[str, str]


class EPICKitchens100(BenchmarkActions):
    """Trains on the 495 training videos and tests on the 138 validation videos, as published work does.

    .. code-block:: text

        root/
          EPIC_100_train.csv, EPIC_100_validation.csv, EPIC_100_verb_classes.csv, EPIC_100_noun_classes.csv
          EPIC_100_video_info.csv    optional: lengths of the videos, where there are no features
          data_info.json             optional: of a feature release, key EK100
          rgb_kinetics_bninception/<video>.npy    (F, 1024), 4 frames a second
          target_perframe/<video>.npy             optional: (F, 3807) of 0 and 1, instead of the annotations

    Annotations: https://github.com/epic-kitchens/epic-kitchens-100-annotations. Features, ``target_perframe`` and
    ``data_info.json``: https://github.com/zhaoyue-zephyrus/TeSTra. All text files may be gzipped and may lie in
    ``root/annotations``.

    3,807 classes: the background and the 3,806 pairs of a verb and a noun that are annotated, named by their keys
    (``take wrap:plastic``) and ordered by the text ``verb_noun`` of their numbers, so that 0_10 comes before 0_2, as
    published. Participants are groups: a kitchen is never split between training and validation.

    Args:
        root: the folder.
        features: see :class:`~gad_lightning.BenchmarkVideos`; two folders for RGB and flow.
        train_files: tables of training segments. Rows of a table without classes (timestamps alone) mark frames that
            are not scored.
        short_memory: in frames; the published 5 s.
        long_memory: frames before those; the published 32 s.
        **released: see :class:`~gad_lightning.BenchmarkActions`.

    Source: Damen et al., Rescaling egocentric vision, IJCV 2022.
    """

    key = "EK100"
    published_fps = 4.0
    files: ClassVar[tuple[ExpectedFile, ...]] = (
        ExpectedFile(("EPIC_100_validation.csv",), "segments of the validation videos", SOURCE),
        ExpectedFile(("EPIC_100_verb_classes*.csv",), "names of the verbs", SOURCE),
        ExpectedFile(("EPIC_100_noun_classes*.csv",), "names of the nouns", SOURCE),
        ExpectedFile(("EPIC_100_video_info.csv",), "lengths, where there are no features", SOURCE, needed=False),
        ExpectedFile(
            ("data_info.json",), "classes and splits", "https://github.com/zhaoyue-zephyrus/TeSTra", needed=False
        ),
    )

    def __init__(
        self,
        root: Path | str,
        features: str | list[str] | None = "rgb_kinetics_bninception",
        train_files: tuple[str, ...] = ("EPIC_100_train.csv",),
        short_memory: int = 20,
        long_memory: int = 128,
        **released: Any,
    ) -> None:
        super().__init__(root=root, features=features, short_memory=short_memory, long_memory=long_memory, **released)
        self.train_files = train_files

    @property
    @override
    def expected(self) -> tuple[ExpectedFile, ...]:
        tables = (ExpectedFile((name,), "segments of the training videos", SOURCE) for name in self.train_files)
        return (*tables, *super().expected)

    @cached_property
    def rows(self) -> dict[Split, list[Row]]:
        """Rows of the tables; with ``data_info.json`` the validation table alone will do for evaluation."""
        names = (
            self.train_files if self.info is None else [name for name in self.train_files if find_file(self.root, name)]
        )
        train = [row for name in names for row in self.read_rows(name)]
        return {"train": train, "test": self.read_rows("EPIC_100_validation.csv")}

    def read_rows(self, name: str) -> list[Row]:
        """Rows of one table."""
        return read_table(self.find("the annotations", name), COLUMNS)

    @cached_property
    def keys(self) -> tuple[list[str], list[str]]:
        """Keys of the verbs and of the nouns, by number."""
        tables = [
            read_table(
                self.find(f"names of {kind}s", *(f"EPIC_100_{kind}_classes{v}.csv" for v in ("", "_v2"))), ("key",)
            )
            for kind in ("verb", "noun")
        ]
        verbs, nouns = ([row["key"] for row in table] for table in tables)
        return verbs, nouns

    def action(self, row: Row) -> tuple[int, int] | None:
        """Verb and noun of a segment; None if the table does not say."""
        return (int(row["verb_class"]), int(row["noun_class"])) if row.get("verb_class") else None

    def name_of(self, action: tuple[int, int] | None) -> str | None:
        """Class name of a verb and a noun."""
        return None if action is None else f"{self.keys[0][action[0]]} {self.keys[1][action[1]]}"

    @cached_property
    def annotations(self) -> Mapping[str, Annotation]:
        """Segments of all annotated videos."""
        path = find_file(self.root, "EPIC_100_video_info.csv")
        table = [] if path is None else read_table(path, ("video_id", "duration"))
        lengths = {row["video_id"]: float(row["duration"]) for row in table}
        segments: dict[str, list[TimedSegment]] = {}
        for row in (row for rows in self.rows.values() for row in rows):
            span = (_to_seconds(row["start_timestamp"]), _to_seconds(row["stop_timestamp"]))
            segments.setdefault(row["video_id"], []).append(TimedSegment(self.name_of(self.action(row)), *span))
        annotated = {}
        for video, found in segments.items():
            length = lengths.get(video, max(part.end for part in found))
            annotated[video] = Annotation(found, length, group=video.split("_")[0], stated=video in lengths)
        return annotated

    def official_names(self) -> list[str]:
        """The background, and the annotated pairs in published order; a warning if some are missing."""
        pairs = {pair for rows in self.rows.values() for row in rows if (pair := self.action(row)) is not None}
        if len(pairs) != NUM_ACTIONS:
            warnings.warn(
                f"The annotations have {len(pairs)} actions and not {NUM_ACTIONS}: this is not the published class "
                "list. Use the complete EPIC_100_train.csv, or data_info.json.",
                stacklevel=2,
            )
        ordered = sorted(pairs, key=lambda pair: f"{pair[0]}_{pair[1]}")
        return ["background", *(name for pair in ordered if (name := self.name_of(pair)) is not None)]

    def official_sessions(self, split: Split) -> list[str]:
        """The annotated videos in the order of the tables."""
        return list(dict.fromkeys(row["video_id"] for row in self.rows.get(split, ())))


def _to_seconds(clock: str) -> float:
    """Read a time of day.

    Raises:
        DataError: if it is none.

    Example:
        >>> _to_seconds("01:02:03.50")
        3723.5
    """
    try:
        hours, minutes, seconds = clock.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError as error:
        raise DataError(f"{clock!r} is no time like 00:01:02.345.", "use the official file") from error

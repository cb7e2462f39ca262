"""The videos to predict, opened only when their turn has come: those of the data, or a folder of features."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from gad_lightning.data.base import ActionDataModule
from gad_lightning.data.records import Labels, VideoRecord
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.schema import DataSchema
from gad_lightning.types import IGNORED
from gad_lightning.video.features.arrays_on_disk import READERS
from gad_lightning.video.features.feature_file import FeatureFile, check_features
from gad_lightning.video.features.packed import SHARD, videos_of

BLOCK = 4096
"""Frames that are looked at together."""


class DataVideos:
    """The videos of the split that ``predict`` runs on, with what is labeled in them.

    Args:
        data: knows its records at once.
    """

    def __init__(self, data: ActionDataModule) -> None:
        self.records = data.videos(data.predict_split)
        self.first = data.first_video(data.predict_split)
        self.known = data.predict_split == "train"
        self.names = [record.name for record in self.records]
        self.address = data.predict_split

    def open(self, number: int) -> VideoRecord:
        """One video, with all frames looked at.

        Raises:
            GadError: if it cannot be read.
        """
        record = self.records[number]
        check_frames(record)
        return record


class FeatureFolder:
    """Feature files that nobody has labeled, of a folder and those within it, packed or one a video, which it names.

    Args:
        folder: where they lie.
        schema: of the classifier, which asks one question of every frame; its features are those expected, and files
            without a ``features.json`` are taken for such.

    Raises:
        MissingDataError: if there is no folder, or no feature file in it.
        SettingError: if the classifier asks several questions.
        DataError: if two files have one name.
    """

    first, known = 0, False

    def __init__(self, folder: Path, schema: DataSchema) -> None:
        if len(schema.tasks) > 1 or not schema.tasks[0].per_frame:
            asked = ", ".join(task.name for task in schema.tasks)
            raise SettingError(
                f"The classifier asks {asked}, and videos without labels are asked what happens at each frame.",
                "leave --videos out: the questions are those of the data",
            )
        if not folder.is_dir():
            raise MissingDataError(f"There is no folder {folder}.", "give a folder of features as --videos")
        files = sorted(path for path in folder.rglob("*.*") if path.suffix in READERS and path.name[0] != ".")
        found: list[tuple[Path, str | None]] = []  # files, and names within them
        for path in files:
            found += [(path, name) for name in videos_of(path)] if SHARD.fullmatch(path.name) else [(path, None)]
        if not found:
            raise MissingDataError(
                f"There is no feature file in {folder}, which end in {', '.join(READERS)}.",
                f"make features of videos: gad-lightning encode {folder} FEATURES",
            )
        self.found, self.names = found, [name or path.stem for path, name in found]
        name, count = Counter(self.names).most_common(1)[0]
        if count > 1:
            raise DataError(f"{folder} has {count} feature files named {name!r}.", "rename them, or keep one")
        self.schema, self.address = schema, str(folder.resolve())

    def open(self, number: int) -> VideoRecord:
        """One video, with all frames looked at.

        Raises:
            GadError: if it cannot be read.
        """
        labels, expected = self.schema.tasks[0].labels, self.schema.features
        path, name = self.found[number]
        frames = FeatureFile(path, expected.fps, expected.encoder, name)
        check_features(frames.spec, expected, frames.path)
        nothing: Labels = np.full(frames.num_frames, IGNORED, np.int64)
        if labels.multi_label:
            nothing = np.full((frames.num_frames, len(labels.names)), IGNORED, np.float32)
        record = VideoRecord(self.names[number], frames, labels=nothing)
        check_frames(record)
        return record


Videos = DataVideos | FeatureFolder


def check_frames(record: VideoRecord) -> None:
    """Read all frames of a video once, so that what cannot be read is known before anything is computed.

    Raises:
        GadError: if a file cannot be read, or holds no frame or one that is not finite.
    """
    total = record.frames.num_frames
    if total < 1:
        raise DataError(f"Video {record.name!r} has no frame.", "encode it again or leave it out")
    for start in range(0, total, BLOCK):
        record.frames.rows(np.arange(start, min(start + BLOCK, total)))

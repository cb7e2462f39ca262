"""The ``data_info.json`` of the field's feature releases: class order, splits and rate of several data sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from gad_lightning.data.base import SPLITS, Split
from gad_lightning.data.benchmarks.annotation_files import read_json
from gad_lightning.errors import DataError


class DataInfo(NamedTuple):
    """What such a file says of one data set."""

    class_names: tuple[str, ...]
    sessions: Mapping[Split, tuple[str, ...]]
    fps: float | None  # None where the file does not say
    goals: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, key: str) -> DataInfo:
        """Read one data set's part of a ``data_info.json``, or the whole of one that is of one data set alone.

        Raises:
            DataError: if the data set or one of its lists is not in it.
        """
        whole = read_json(path)
        part = whole.get(key, whole)
        if "class_names" not in part or "train_session_set" not in part:
            raise DataError(f"{path} says nothing of {key}: it has {', '.join(whole)}.", f"use the file that has {key}")
        sessions = {split: tuple(part.get(f"{split}_session_set", ())) for split in SPLITS}
        fps = None if part.get("fps") is None else float(part["fps"])
        return cls(tuple(part["class_names"]), sessions, fps, tuple(part.get("goal_names", ())))

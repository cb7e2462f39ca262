"""What is refused before a run starts: settings that cannot work, and records that do not fit together."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from gad_lightning.data.records import Timeline, VideoRecord
from gad_lightning.errors import DataError, SettingError
from gad_lightning.schema import FeatureSpec, LabelSet, Task, Windows
from gad_lightning.types import IGNORED
from gad_lightning.video.features.feature_file import check_features


class LoadingSettings(Protocol):
    """The settings of a data module that are checked."""

    windows: Windows
    stride: int
    batch_size: int
    eval_batch_size: int
    num_workers: int
    seed: int
    val_fraction: float
    background_limit: float | None
    sampling: Literal["uniform", "published"]
    multi_label: bool


def check_settings(data: LoadingSettings) -> None:
    """Refuse settings that cannot work.

    Raises:
        SettingError: naming the setting and its value.
    """
    _check_windows(data.windows, data.stride)
    for name, size in (("batch_size", data.batch_size), ("eval_batch_size", data.eval_batch_size)):
        if size < 1:
            raise SettingError(f"data.{name} must be at least 1, got {size}.", f"raise data.{name}")
    if data.num_workers < 0:
        raise SettingError(f"data.num_workers cannot be negative, got {data.num_workers}.", "set it to 0 or more")
    if not 0 <= data.val_fraction < 1:
        raise SettingError(
            f"data.val_fraction is a share of the training videos in [0, 1), got {data.val_fraction}.", "0.1 is usual"
        )
    if data.background_limit is not None and data.background_limit <= 0:
        raise SettingError(
            f"data.background_limit is a multiple of a class count, above 0, got {data.background_limit}.",
            "leave it out to keep all background",
        )
    one_pass = data.windows.mode == "one_pass"
    if one_pass and data.sampling == "published":
        raise SettingError(
            "data.sampling published draws windows, and data.mode is one_pass.", "set data.mode to window"
        )
    if data.background_limit is not None and (one_pass or data.multi_label):
        raise SettingError(
            "data.background_limit thins single-label windows, and data.mode is one_pass or data.multi_label is set.",
            "leave it out and lower the classifier's background weight instead",
        )


def distinct(records: list[VideoRecord], split: str) -> list[VideoRecord]:
    """Return ``records``, refusing a name that stands twice or a video without frames.

    Raises:
        DataError: naming the video.
    """
    name, count = Counter(record.name for record in records).most_common(1)[0] if records else ("", 0)
    if count > 1:
        raise DataError(f"Video {name!r} stands {count} times in the {split} split.", "list every video once")
    return records


def check_same_kind(records: Sequence[VideoRecord], expected: FeatureSpec) -> None:
    """Refuse features of another encoder, fps, width or token count than ``expected``, and videos without a frame.

    Raises:
        DataError: naming the file, both values and what to do.
    """
    for record in records:
        where = record.frames.path or f"video {record.name!r}"
        check_features(record.frames.spec, expected, where)
        if record.frames.num_frames < 1:
            raise DataError(f"The features of {where} hold no frame.", "encode the video again or leave it out")


def check_choice(tasks: Sequence[Task]) -> None:
    """Refuse data with one class, which every answer names; of several tasks some may have one.

    Raises:
        DataError: naming the class.
    """
    for task in tasks:
        names = [name for index, name in enumerate(task.labels.names) if index != task.labels.ignore]
        if len(names) > 1 or task.labels.multi_label:
            return
    raise DataError(
        f"{names[0]!r} is the only class: there is nothing to choose.",
        "label a second class; if frames outside all segments are one, set data.background to its name",
    )


def check_labels(timelines: Sequence[Timeline], classes: LabelSet) -> list[str]:
    """Refuse training videos that show one class of the first task only; warn of classes that none of them shows.

    Returns:
        The names of those, in the order of the class list: they are legal, but cannot be learned.

    Raises:
        DataError: if no frame is labeled, or all have one label.
    """
    seen, empty = np.zeros(len(classes.names), dtype=np.bool_), False
    for laid in timelines:
        labels = laid.queries.label[laid.queries.task == 0]
        if labels.ndim == 2:
            seen |= (labels > 0).any(0)
            empty |= bool((labels == 0).all(1).any())
        else:
            seen[np.unique(labels[labels != IGNORED])] = True
    if not seen.any() and all((laid.queries.label == IGNORED).all() for laid in timelines):
        raise DataError(
            f"No frame of the {len(timelines)} training videos is labeled: there is nothing to train on.",
            "correct the segments, the classes or the splits",
        )
    if seen.sum() + empty == 1:
        only = repr(classes.names[int(seen.argmax())]) if seen.any() else "without a class"
        raise DataError(
            f"All labeled frames of the {len(timelines)} training videos are {only}: there is nothing to tell apart.",
            "label a second class, or correct the splits",
        )
    absent = [name for index, name in enumerate(classes.names) if not seen[index] and index != classes.ignore]
    if absent:
        some = ", ".join(map(repr, absent[:5])) + (", ..." if len(absent) > 5 else "")
        warnings.warn(f"{len(absent)} of {len(classes.names)} classes have no training example: {some}", stacklevel=2)
    return absent


def _check_windows(windows: Windows, stride: int) -> None:
    """Refuse lengths and strides that cannot work.

    Raises:
        SettingError: naming the setting and its value.
    """
    sizes = {
        "short_memory": windows.short,
        "chunk": windows.chunk,
        "short_stride": windows.short_stride,
        "long_stride": windows.long_stride,
        "stride": stride,
    }
    for name, value in sizes.items():
        if value < 1:
            raise SettingError(f"data.{name} counts frames and must be at least 1, got {value}.", f"raise data.{name}")
    if windows.long < 0:
        raise SettingError(
            f"data.long_memory counts frames and cannot be negative, got {windows.long}.", "set it to 0 for none"
        )
    if windows.mode == "one_pass" and (windows.short_stride, windows.long_stride) != (1, 1):
        raise SettingError(
            f"In one_pass mode every frame is read once, so memory strides must be 1, got short_stride "
            f"{windows.short_stride} and long_stride {windows.long_stride}.",
            "set both to 1, or data.mode to window",
        )

"""Tells whether videos of a run were changed since its checkpoint was saved: their labels, or their features."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from gad_lightning.data.records import VideoRecord

ENDS = 4096
"""Bytes at the beginning and at the end of a file that tell it from another one of its size."""


def fingerprints(records: Sequence[VideoRecord]) -> dict[str, list[str]]:
    """Per video a hash of its labels and one of its features, which depend on no path and no time."""
    return {record.name: [_of_labels(record), _of_features(record)] for record in records}


def _changes(before: Mapping[str, Sequence[str]], now: Mapping[str, Sequence[str]]) -> list[str]:
    """Say what differs between two tables of :func:`fingerprints`, a sentence each.

    Example:
        >>> _changes({"a": ["1", "2"], "b": ["1", "2"]}, {"a": ["1", "3"], "c": ["1", "2"]})
        ["the features of 1 videos, first 'a'", "1 videos are gone, first 'b'", "1 videos are new, first 'c'"]
    """
    both = [name for name in before if name in now]
    found = {
        "the labels of {} videos, first {!r}": [name for name in both if before[name][0] != now[name][0]],
        "the features of {} videos, first {!r}": [name for name in both if before[name][1] != now[name][1]],
        "{} videos are gone, first {!r}": [name for name in before if name not in now],
        "{} videos are new, first {!r}": [name for name in now if name not in before],
    }
    return [text.format(len(names), names[0]) for text, names in found.items() if names]


def warn_of_changes(before: Mapping[str, Sequence[str]], now: Mapping[str, Sequence[str]]) -> None:
    """Warn if the data of a run that goes on is not what it was."""
    changed = _changes(before, now)
    if changed:
        warnings.warn(
            f"The data has changed since the checkpoint was saved: {'; '.join(changed)}. The run goes on with what is "
            "there now.",
            stacklevel=3,
        )


def _of_labels(record: VideoRecord) -> str:
    digest = hashlib.sha256(repr((record.goal, [tuple(segment) for segment in record.segments])).encode())
    columns = [record.labels, *(record.queries or ())]
    for column in columns:
        if column is not None:
            digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()[:12]


def _of_features(record: VideoRecord) -> str:
    digest = hashlib.sha256(str(record.frames.num_frames).encode())
    if record.frames.path is not None:
        with record.frames.path.open("rb") as file:
            size = file.seek(0, 2)
            for place in (0, max(0, size - ENDS)):
                file.seek(place)
                digest.update(file.read(ENDS))
        digest.update(str(size).encode())
    return digest.hexdigest()[:12]

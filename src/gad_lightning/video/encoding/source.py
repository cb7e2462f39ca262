"""Tells whether a video is still the file that its features were made of."""

from __future__ import annotations

import hashlib
from pathlib import Path

ENDS = 65_536
"""Bytes at the beginning and at the end of a file that tell it from another one of its size."""


def source_of(video: Path) -> str:
    """A file as it is now: its size, when it was changed, and a hash of its ends."""
    state = video.stat()
    return f"{state.st_size} {state.st_mtime_ns} {_hash_of(video, state.st_size)}"


def content_of_file(path: Path) -> str:
    """A file's size and a hash of its ends: the same for a copy."""
    size = path.stat().st_size
    return f"{size} {_hash_of(path, size)}"


def is_replaced(source: str | None, video: Path) -> bool:
    """Whether a video is another file than :func:`source_of` has told; False where nothing is known.

    A file of the same size and time is not read; one that was copied or touched is still the same.
    """
    size, _, rest = (source or "").partition(" ")
    changed, _, digest = rest.partition(" ")
    if not digest:
        return False
    try:
        state = video.stat()
        if size != str(state.st_size):
            return True
        return changed != str(state.st_mtime_ns) and digest != _hash_of(video, state.st_size)
    except OSError:
        return False


def _hash_of(video: Path, size: int) -> str:
    digest = hashlib.sha256()
    with video.open("rb") as file:
        for place in (0, max(0, size - ENDS)):
            file.seek(place)
            digest.update(file.read(ENDS))
    return digest.hexdigest()[:16]

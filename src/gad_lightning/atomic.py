"""Writes files whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gad_lightning.errors import SettingError


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Give a temporary name beside ``target`` to write to; it becomes ``target`` if the block ends well, else it goes.

    Raises:
        SettingError: if the folder or the disk does not take the file.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "note.txt"
        >>> with atomic_write(target) as part:
        ...     _ = part.write_text("hello")
        >>> target.read_text(), len(list(target.parent.iterdir()))
        ('hello', 1)
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, target)
    except OSError as error:
        raise SettingError(f"{target} cannot be written: {error}.", "choose a folder that is writable") from error
    finally:
        part.unlink(missing_ok=True)


def make_folder(folder: Path) -> Path:
    """Make ``folder`` and check that files can be written to it.

    Raises:
        SettingError: if it cannot be made, is a file, or is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(
            f"The folder {folder} cannot be made ({error.strerror}).", "choose another folder"
        ) from error
    if not os.access(folder, os.W_OK):
        raise SettingError(f"The folder {folder} is not writable.", "choose another folder or change its permissions")
    return folder

"""Writes files whole or not at all, and keeps a folder to one process at a time."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from gad_lightning.errors import SettingError

if sys.platform != "win32":
    import fcntl

LOCK = ".lock"
"""File in a folder that the process that writes there holds; a killed one leaves it, without meaning."""
NAME_BYTES = 100
"""Bytes of a file's name that its temporary name repeats: together they fit the 255 bytes of a name."""


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Give a temporary file beside ``target`` to write to; it becomes ``target`` if the block ends well, else it goes.

    The temporary name is random and the file is new, so processes that share a disk never write to the same one, and a
    link is never followed. What was written is on the disk before it gets its name.

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
    try:
        part, file = new_part(target)
        try:
            yield part
            _sync(part)
            os.replace(part, target)
        finally:
            file.close()
            part.unlink(missing_ok=True)
        if sys.platform != "win32":
            _sync(target.parent)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "free space on the disk or raise the quota" if full else "choose a folder that is writable"
        raise SettingError(f"{target} cannot be written: {error.strerror or error}.", remedy) from error


def new_part(target: Path) -> tuple[Path, IO[bytes]]:
    """Make an empty file of a new name beside ``target``, locked as long as the returned file is open."""
    while True:
        part = target.with_name(f"{_prefix(target)}.{secrets.token_hex(8)}.part")
        file = part.open("xb")
        try:
            if not _flock(file) or _is_there(part, file):
                return part, file
        except BlockingIOError:
            pass  # another process looks whether it is abandoned, and removes it
        file.close()


def _prefix(target: Path) -> str:
    """What the temporary names of a file begin with."""
    return f".{os.fsencode(target.name)[:NAME_BYTES].decode(errors='ignore')}"


def _is_there(path: Path, file: IO[bytes]) -> bool:
    """Whether a path leads to an open file."""
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _sync(path: Path) -> None:
    """Put a file or folder on the disk; a file system that cannot is believed."""
    number = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(number)


def _flock(file: IO[bytes]) -> bool:
    """Lock an open file, without waiting: whether its file system has locks.

    Raises:
        BlockingIOError: if another process holds it.
    """
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def remove_abandoned(target: Path) -> None:
    """Remove temporary files of ``target`` that killed processes left; those that are being written stay."""
    _remove(target.parent.glob(f"{glob.escape(_prefix(target))}.*.part"))


def sweep(folder: Path) -> None:
    """Remove the temporary files of a folder that killed processes left; those that are being written stay."""
    _remove(folder.glob(".*.part"))


def _remove(parts: Iterable[Path]) -> None:
    """Remove those of some temporary files that nobody writes."""
    for part in parts:
        try:
            with part.open("rb") as file:
                if _is_there(part, file) and _flock(file):
                    part.unlink(missing_ok=True)
        except (FileNotFoundError, BlockingIOError):
            continue


class FolderLock:
    """Keeps other processes from writing to a folder, from :meth:`take` to :meth:`release` or this process's end.

    Windows and some network disks have no such locks: there nothing is kept out.

    Args:
        folder: made if it is not there.
        name: of the file in it that is locked.
    """

    def __init__(self, folder: Path, name: str = LOCK) -> None:
        self.folder, self.name = folder, name
        self._file: IO[bytes] | None = None

    def take(self) -> None:
        """Lock the folder.

        Raises:
            SettingError: if another process holds it.
        """
        if self.try_take():
            return
        with suppress(FileNotFoundError), (self.folder / self.name).open("rb") as file:
            holder = file.read(1000).decode(errors="replace")
            raise SettingError(
                f"{self.folder} is being written by another run{holder and f': {holder}'}.",
                "wait until it has ended, stop it, or write to another folder",
            )
        self.take()  # its holder has ended in between

    def try_take(self) -> bool:
        """Lock the folder unless another process holds it: whether it is locked now."""
        path = make_folder(self.folder) / self.name
        file = path.open("ab+")
        if sys.platform != "win32":
            try:
                # of the process, not of the open file: forked workers that outlive it do not hold it
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                file.close()
                return False
            except OSError:
                pass  # this disk has no locks
        if not _is_there(path, file):  # its holder has ended in between
            file.close()
            return self.try_take()
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
        file.flush()
        self._file = file
        return True

    def release(self) -> None:
        """Let others write there."""
        if self._file is not None:
            if sys.platform != "win32":
                (self.folder / self.name).unlink(missing_ok=True)
            self._file.close()
            self._file = None


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

"""Checkpoint files: written whole, read without running code, and the newest whole one found."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
import zipfile
from http.client import HTTPException
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.fabric.utilities.cloud_io import get_filesystem

from gad_lightning.atomic import atomic_write
from gad_lightning.errors import CheckpointError, MissingDataError, SettingError
from gad_lightning.redact import redact


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint to a temporary name beside it and renames it once it is on the disk.

    Lightning's own way goes through the folder for temporary files, and from there to another disk by a copy that can
    be cut short. Reading never runs code in a file, from a URL neither. Where a file whose name begins with ``last`` is
    cut short, the whole one before it is read, with a warning.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint; one of the same name is replaced at once or not at all.

        Raises:
            CheckpointError: if the disk does not take it; the one before stays.
        """
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(target) as part, part.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
        except (SettingError, OSError, RuntimeError) as error:  # torch reports a full disk as the latter
            raise CheckpointError(
                f"The checkpoint {target} cannot be written: {_reason_of(error)}. Those before it are whole.",
                "free space on the disk or raise the quota, or set trainer.default_root_dir to a folder elsewhere; "
                "then resume from the last checkpoint",
            ) from error
        for left in target.parent.glob(f".{target.name}.*.part"):  # of a process that was killed while it wrote
            left.unlink(missing_ok=True)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint to the CPU.

        Raises:
            MissingDataError: if there is no such file.
            CheckpointError: if it is damaged, or holds more than plain data.
        """
        if "://" in str(path):
            return read_checkpoint(path)
        file = Path(path)
        if file.name.startswith("last") and file.is_file() and not is_whole(file):
            file = newest_checkpoint(file.parent) or file
        return read_checkpoint(file)


def _reason_of(error: BaseException) -> str:
    """What the system said at the bottom of a chain of errors."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def is_whole(path: Path) -> bool:
    """Whether every part of a checkpoint file is there, by its checksums."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except (zipfile.BadZipFile, EOFError, OSError):
        return False


def newest_checkpoint(folder: str | Path) -> Path | None:
    """Find the newest whole checkpoint in ``folder`` and below; names that begin with ``last`` go before others.

    Files that are cut short or damaged are passed over with a warning that names them and what is used instead.

    Returns:
        Its path, or None if there is none, so that the first start of a job and a later one can be the same command.

    Raises:
        CheckpointError: if there are checkpoints and none is whole.
    """
    files = [path for path in Path(folder).rglob("*.ckpt") if path.is_file()]
    files.sort(key=lambda path: (path.name.startswith("last"), path.stat().st_mtime_ns), reverse=True)
    damaged: list[str] = []
    for path in files:
        if is_whole(path):
            if damaged:
                warnings.warn(f"Cut short or damaged: {', '.join(damaged)}. Used instead: {path}", stacklevel=2)
            return path
        damaged.append(str(path))
    if damaged:
        raise CheckpointError(
            f"No checkpoint in {folder} is whole: {', '.join(damaged)} are cut short or damaged.",
            "remove them to start anew, or give the path of another checkpoint",
        )
    return None


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint file, or one at a URL, without running any code in it; errors show no password.

    Raises:
        SettingError: if it is a URL with user and password.
        MissingDataError: if there is no such file.
        CheckpointError: if it is cut short, no checkpoint, or holds more than plain data.
    """
    shown = redact(str(path))
    if "://" in str(path):
        return _read_url(str(path), shown)
    if not Path(path).is_file():
        raise MissingDataError(f"No checkpoint at {shown}.", "give the path of a .ckpt file, or its URL as a string")
    with Path(path).open("rb") as file:
        return _read_open(file, shown)


def _read_url(url: str, shown: str) -> dict[str, Any]:
    """Read a checkpoint from a URL; nothing is kept of it, so two of the same file name are never mixed up.

    Raises:
        SettingError: if user and password stand in it.
        MissingDataError: if nothing is there.
        CheckpointError: if it is cut short, no checkpoint, or holds more than plain data.
    """
    if "@" in urlsplit(url).netloc:
        raise SettingError(
            f"Checkpoints are not read from URLs with a user or password, such as {shown}.",
            "download the file and give its path",
        )
    try:
        with tempfile.TemporaryFile() as file:
            with urlopen(url, timeout=60) if url.startswith("http") else get_filesystem(url).open(url, "rb") as answer:
                shutil.copyfileobj(answer, file)
            file.seek(0)
            return _read_open(file, shown)
    except (OSError, HTTPException, ImportError, ValueError) as error:
        reason = redact(str(error))
    # raised out here: the errors above can name the URL, and would be told along with this one
    raise MissingDataError(f"No checkpoint can be read from {shown}: {reason}.", "check the URL, or download the file")


def _read_open(file: IO[bytes], shown: str) -> dict[str, Any]:
    """Read an open checkpoint file without running any code in it.

    Raises:
        CheckpointError: if it is cut short, no checkpoint, or holds more than plain data.
    """
    try:
        content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError) as error:
        raise CheckpointError(f"{shown} is damaged: {error}", "use the checkpoint before it") from error
    except UnpicklingError as error:
        raise CheckpointError(
            f"{shown} is damaged or holds more than plain data, which could run code: {error}",
            "use the checkpoint before it, or one from people you trust",
        ) from error
    return content

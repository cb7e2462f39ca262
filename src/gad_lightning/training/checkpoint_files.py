"""Checkpoint files: written whole, read without running code, and the newest whole one found."""

from __future__ import annotations

import os
import warnings
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from gad_lightning.errors import CheckpointError, MissingDataError, SettingError
from gad_lightning.video.atomic import written_whole


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
            with written_whole(target) as part, part.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
        except (SettingError, OSError, RuntimeError) as error:  # torch reports a full disk as the latter
            raise CheckpointError(
                f"The checkpoint {target} cannot be written: {reason_of(error)}. Those before it are whole.",
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
            return super().load_checkpoint(path, map_location=lambda storage, _: storage, weights_only=True)
        file = Path(path)
        if file.name.startswith("last") and file.is_file() and not is_whole(file):
            file = newest_checkpoint(file.parent) or file
        return read_checkpoint(file)


def reason_of(error: BaseException) -> str:
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
    """Read a checkpoint file without running any code in it.

    Raises:
        MissingDataError: if there is no such file.
        CheckpointError: if it is cut short, no checkpoint, or holds more than plain data.
    """
    if not Path(path).is_file():
        raise MissingDataError(f"No checkpoint at {path}.", "give the path of a .ckpt file")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}", "use the checkpoint before it") from error
    except UnpicklingError as error:
        raise CheckpointError(
            f"{path} is damaged or holds more than plain data, which could run code: {error}",
            "use the checkpoint before it, or one from people you trust",
        ) from error
    return content

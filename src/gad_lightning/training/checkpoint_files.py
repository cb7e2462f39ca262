"""Checkpoint files: written whole, removed only by the run that wrote them, and the newest whole one found."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from gad_lightning.atomic import atomic_write, remove_abandoned
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.training.checkpoint_reading import is_whole as is_whole  # offered here too
from gad_lightning.training.checkpoint_reading import outline_of, run_in, run_of, seal
from gad_lightning.training.checkpoint_reading import read_checkpoint as read_checkpoint  # offered here too


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint to a temporary name beside it and renames it once it is on the disk.

    Lightning's own way goes through the folder for temporary files, and from there to another disk by a copy that can
    be cut short. Reading never runs code in a file, from a URL neither. Where a file whose name begins with ``last`` is
    damaged, the whole one before it is read, with a warning. Only files that this run wrote are removed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._steps: dict[str, int] = {}  # of what this process wrote, by path
        self._run: str | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint; one of the same name is replaced at once or not at all.

        Raises:
            CheckpointError: if the disk does not take it; the one before stays.
        """
        self._run = run_in(checkpoint)
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            self._steps[str(path)] = checkpoint.get("global_step", 0)
            return
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(target) as part:
                with part.open("wb") as file:
                    torch.save(checkpoint, file)
                seal(part)
        except (SettingError, OSError, RuntimeError) as error:  # torch reports a full disk as the latter
            raise CheckpointError(
                f"The checkpoint {target} cannot be written: {_reason_of(error)}. Those before it are whole.",
                "free space on the disk or raise the quota, or set trainer.default_root_dir to a folder elsewhere; "
                "then resume from the last checkpoint",
            ) from error
        self._steps[str(target.resolve())] = checkpoint.get("global_step", 0)
        remove_abandoned(target)

    def step_of(self, path: str) -> int | None:
        """Optimizer steps of the checkpoint that this process has written to a path, or that a link there leads to."""
        return self._steps.get(path if "://" in path else str(Path(path).resolve()))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint if this run wrote it, in this process or before it was resumed; else leave it."""
        if "://" in str(path):
            if str(path) in self._steps:
                super().remove_checkpoint(path)
            return
        file = Path(path)
        if file.is_symlink() or not file.is_file():
            return
        if str(file.resolve()) in self._steps or (self._run is not None and run_of(file) == self._run):
            file.unlink()

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
            whole = [other for other in file.parent.glob("*.ckpt") if is_whole(other)]
            file = (newest_of([[file, *whole]], str(file.parent)) if whole else None) or file
        return read_checkpoint(file)


def _reason_of(error: BaseException) -> str:
    """What the system said at the bottom of a chain of errors."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _step_in(path: Path) -> int:
    """Optimizer steps of a checkpoint file, or those that its name tells; -1 if neither can be read."""
    about = outline_of(path) or {}
    step = about.get("global_step")
    named = re.fullmatch(r"last-(\d{1,18})", path.stem)
    return step if isinstance(step, int) else int(named[1]) if named else -1


def newest_checkpoint(folder: str | Path) -> Path | None:
    """Find the whole checkpoint of most optimizer steps in ``folder`` and below; of equal ones, a name with ``last``.

    File times do not count: clocks are set back and differ between machines. Files that are cut short or damaged are
    passed over with a warning that names them and what is used instead.

    Returns:
        Its path, or None if there is none, so that the first start of a job and a later one can be the same command.

    Raises:
        CheckpointError: if there are checkpoints and none is whole.
    """
    return newest_of([[path for path in Path(folder).rglob("*.ckpt") if path.is_file()]], str(folder))


def newest_of(runs: Sequence[Sequence[Path]], where: str) -> Path | None:
    """As :func:`newest_checkpoint`, of some files.

    Args:
        runs: checkpoints of each run, in any order; the newest run first.
        where: they lie, for messages.

    Raises:
        CheckpointError: if there are some and none is whole.
    """
    damaged: list[str] = []
    for files in runs:
        for path in sorted(files, key=lambda path: (_step_in(path), path.name.startswith("last")), reverse=True):
            if is_whole(path):
                if damaged:
                    warnings.warn(f"Cut short or damaged: {', '.join(damaged)}. Used instead: {path}", stacklevel=3)
                return path
            damaged.append(str(path))
    if damaged:
        raise CheckpointError(
            f"No checkpoint in {where} is whole: {', '.join(damaged)} are cut short or damaged.",
            "remove them to start anew, or give the path of another checkpoint",
        )
    return None

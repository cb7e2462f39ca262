"""Per-frame arrays of the field's feature releases: ``target_perframe/<video>.npy``, frames x classes of 0 and 1."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from gad_lightning.atomic import atomic_write
from gad_lightning.data.statistics import fingerprint
from gad_lightning.data.windows import IntArray
from gad_lightning.errors import DataError

ROWS_AT_ONCE = 4096  # of 3,807 classes in float32: 62 MB


class FrameClasses(NamedTuple):
    """The classes of every frame of a video, summed up; each (F,) int64."""

    lowest: IntArray  # lowest class that is set, 0 (the background) where none is
    highest: IntArray  # highest class that is set, 0 where none is
    shown: IntArray  # number of classes that are set, the background not counted


def open_matrix(path: Path) -> NDArray[np.generic]:
    """Open the (F, C) array of a ``target_perframe`` file without reading it.

    Raises:
        DataError: if it is damaged or no matrix of numbers.
    """
    try:
        rows: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path} is no array of frame labels: {error}.", "download it again") from error
    if rows.ndim != 2 or rows.dtype.kind not in "biuf":
        raise DataError(
            f"{path} has shape {rows.shape} and type {rows.dtype}; expected frames x classes of 0 and 1.",
            "use the target_perframe folder of the feature release",
        )
    return rows


def _sum_up(rows: NDArray[np.generic]) -> FrameClasses:
    """Sum up (F, C) rows of 0 and 1, of which column 0 is the background.

    Example:
        >>> _sum_up(np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0]])).lowest
        array([0, 1, 0])
    """
    parts = [np.zeros((0, 3), dtype=np.int64)]
    for start in range(0, len(rows), ROWS_AT_ONCE):
        block = np.asarray(rows[start : start + ROWS_AT_ONCE]) != 0
        highest = np.where(block.any(1), block.shape[1] - 1 - block[:, ::-1].argmax(1), 0)
        parts.append(np.stack([block.argmax(1), highest, block[:, 1:].sum(1)], axis=1))
    return FrameClasses(*np.concatenate(parts).T)


def read_matrices(paths: Sequence[Path]) -> dict[Path, FrameClasses]:
    """Sum up many ``target_perframe`` files, or take what was summed up before for the same files.

    With thousands of classes the files are a thousand times larger than what is wanted of them, so the sums are kept
    beside them, under a name made of the files' names, sizes, times and first and last bytes; several processes that
    ask at once sum up once. A folder that cannot be written to costs a warning and the time.

    Raises:
        DataError: if a file is damaged.
    """
    ordered = sorted(paths)
    folder = ordered[0].parent
    if not os.access(folder, os.W_OK):
        warnings.warn(f"{folder} cannot be written to, so frame labels are summed up in every run.", stacklevel=2)
        return {path: _sum_up(open_matrix(path)) for path in ordered}
    kept = folder / f"labels-{fingerprint(ordered)}.npz"
    with FileLock(kept.with_suffix(".lock")):
        if not kept.is_file():
            _write(kept, [_sum_up(open_matrix(path)) for path in ordered])
    return dict(zip(ordered, _read(kept), strict=True))


def _write(target: Path, parts: Sequence[FrameClasses]) -> None:
    lengths = np.array([len(part.lowest) for part in parts])
    columns = np.concatenate([np.stack(part, axis=1) for part in parts]).astype(np.int32)
    with atomic_write(target) as unfinished, unfinished.open("wb") as file:
        np.savez(file, lengths=lengths, columns=columns)


def _read(source: Path) -> list[FrameClasses]:
    try:
        with np.load(source, allow_pickle=False) as kept:
            cuts, columns = np.cumsum(kept["lengths"])[:-1], kept["columns"].astype(np.int64)
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{source} is damaged: {error}.", "delete it: it is made again") from error
    return [FrameClasses(*part.T) for part in np.split(columns, cuts)]

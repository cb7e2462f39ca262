"""Maps arrays of features into memory without reading them: .npy, .safetensors and .pt; none can run code."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gad_lightning.errors import DataError, MissingDataError

OPEN_FILES = 64
"""Mapped files kept open in a process; each holds a file handle, of which systems often allow 1024."""


class DiskArray(NamedTuple):
    """An array on disk: ``pick`` turns numpy rows to read into (n, ...) float32 in memory."""

    shape: tuple[int, ...]
    pick: Callable[[Any], NDArray[np.float32]]


def open_array(path: Path, video: str | None = None) -> DiskArray:
    """Map the array of a file, or that of one video of a .safetensors file of several; recently used ones stay mapped.

    Raises:
        MissingDataError: if there is no such file.
        DataError: if it holds no array of floating-point numbers.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise MissingDataError(f"There is no feature file {path}.", "check the folder, or encode the video") from error
    return _open(path, state.st_mtime_ns, state.st_size, video)


@lru_cache(maxsize=OPEN_FILES)
def _open(path: Path, changed: int, size: int, video: str | None) -> DiskArray:
    """Open by kind; ``changed`` and ``size`` make a rewritten file another one."""
    reader = READERS.get(path.suffix)
    if reader is None:
        raise DataError(f"{path} is of no known kind.", f"give one of {', '.join(READERS)}")
    try:
        found = reader(path) if video is None else _read_safetensors(path, video)
    except (ValueError, OverflowError, RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"{path} cannot be read as features: {reason}.", "make it again; pickled objects are refused"
        ) from error
    if len(found.shape) not in (2, 3) or 0 in found.shape:
        raise DataError(
            f"{path} holds an array of shape {found.shape}.", "features are (F, D) or (F, N, D), at least one frame"
        )
    return found


def _read_npy(path: Path) -> DiskArray:
    """Map a .npy file; two raw bytes a number are taken for bfloat16, which numpy cannot name."""
    array = np.lib.format.open_memmap(path, mode="r")
    if array.dtype.kind == "V" and array.dtype.itemsize == 2:
        bits = array.view(np.uint16)
        return DiskArray(array.shape, lambda rows: (bits[rows].astype(np.uint32) << 16).view(np.float32))
    if array.dtype.kind != "f":
        raise ValueError(f"its numbers are {array.dtype}, not floating-point")
    return DiskArray(array.shape, lambda rows: np.asarray(array[rows], dtype=np.float32))


def _read_torch(path: Path) -> DiskArray:
    """Map the one tensor of a .pt file, alone or in a dict."""
    try:
        found = torch.load(path, weights_only=True, mmap=True, map_location="cpu")
    except RuntimeError as error:
        if "mmap" not in str(error):
            raise
        found = torch.load(path, weights_only=True, map_location="cpu")  # the format before torch 1.6 cannot be mapped
    except pickle.UnpicklingError as error:
        raise ValueError("it holds objects that are no tensors") from error
    tensors = list(found.values()) if isinstance(found, dict) else [found]
    return _of_tensor(_only(tensors))


def _read_safetensors(path: Path, name: str | None = None) -> DiskArray:
    """Map the one tensor of a .safetensors file, or that of a name."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            if name is not None:
                return _of_tensor(file.get_tensor(name))
            return _of_tensor(_only([file.get_tensor(key) for key in file.keys()]))  # noqa: SIM118  # it is no dict
    except SafetensorError as error:
        raise ValueError(str(error)) from error


READERS: dict[str, Callable[[Path], DiskArray]] = {
    ".npy": _read_npy,
    ".pt": _read_torch,
    ".pth": _read_torch,
    ".safetensors": _read_safetensors,
}
"""What opens files of each ending."""


def _only(tensors: list[Any]) -> Tensor:
    """The single tensor of a file."""
    if len(tensors) != 1 or not isinstance(tensors[0], Tensor):
        raise ValueError(f"it must hold one tensor and holds {len(tensors)} entries")
    return tensors[0]


def _of_tensor(tensor: Tensor) -> DiskArray:
    """Wrap a mapped tensor."""
    if not tensor.is_floating_point():
        raise ValueError(f"its numbers are {tensor.dtype}, not floating-point")

    def pick(rows: Any) -> NDArray[np.float32]:
        """Read rows as float32."""
        index = torch.from_numpy(rows) if isinstance(rows, np.ndarray) else rows
        numbers: NDArray[np.float32] = tensor[index].float().numpy()
        return numbers

    return DiskArray(tuple(tensor.shape), pick)

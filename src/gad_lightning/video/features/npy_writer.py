"""Writes a .npy file row by row: features of any length in constant memory, and never half a file."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gad_lightning.errors import DataError, SettingError


class NpyWriter:
    """Appends blocks of rows to a hidden file beside ``target``, which takes the name when it is whole.

    Used in a ``with`` block, it leaves nothing behind unless ``finish`` was called.

    Args:
        target: the .npy file.
        dtype: ``"float16"`` or ``"float32"``.
    """

    def __init__(self, target: Path, dtype: str) -> None:
        self.target = target
        self.dtype = np.dtype(dtype)
        self.part = target.with_name(f".{target.name}.{os.getpid()}.part")
        self.file: BinaryIO | None = None
        self.row_shape: tuple[int, ...] = ()
        self.num_rows = 0

    def append(self, block: NDArray[np.float32]) -> None:
        """Add rows: (n, ...) of one row shape.

        Raises:
            DataError: if a number is not finite or beyond what ``dtype`` holds.
            SettingError: if the disk does not take them.
        """
        with np.errstate(over="ignore"):
            rows = np.ascontiguousarray(block, dtype=self.dtype)
        if not np.isfinite(rows).all():
            raise DataError(
                f"Features of {self.target.name} are not finite in {self.dtype} (largest: {np.abs(block).max():g}).",
                "encode with dtype float32; if that fails too, the encoder is at fault",
            )
        try:
            if self.file is None:
                for left in self.target.parent.glob(f".{glob.escape(self.target.name)}.*.part"):
                    left.unlink(missing_ok=True)  # by a run that was killed
                self.file = self.part.open("wb")
                self.row_shape = rows.shape[1:]
                self._write_header()
            self.file.write(rows.data)
        except OSError as error:
            raise SettingError(f"{self.target} cannot be written: {error}.", "choose a folder with room") from error
        self.num_rows += len(rows)

    def _write_header(self) -> None:
        """Write the header; numpy pads it so that its length does not depend on the number of rows."""
        assert self.file is not None
        header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.num_rows, *self.row_shape)}
        np.lib.format.write_array_header_1_0(self.file, header)

    def finish(self) -> None:
        """Complete the header and give the file its name.

        Raises:
            SettingError: if the disk does not take it.
        """
        assert self.file is not None, "no row was appended"
        try:
            self.file.seek(0)
            self._write_header()
            self.file.close()
            os.replace(self.part, self.target)
        except OSError as error:
            raise SettingError(f"{self.target} cannot be written: {error}.", "choose a folder with room") from error

    def __enter__(self) -> NpyWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.file is not None:
            self.file.close()
        self.part.unlink(missing_ok=True)

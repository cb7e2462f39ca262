"""Feature frames that are already in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gad_lightning.data.records import FloatArray
from gad_lightning.data.windows import IntArray
from gad_lightning.errors import DataError
from gad_lightning.schema import FeatureSpec


class ArrayFrames:
    """A :class:`~gad_lightning.FeatureSource` over an array.

    Args:
        array: (F, D) or (F, N, D) numbers.
        fps: frames a second.
        encoder: what made them.

    Raises:
        DataError: if the array holds no real numbers, or is not of that shape.
    """

    path: Path | None = None

    def __init__(self, array: FloatArray, fps: float, encoder: str = "array") -> None:
        if array.dtype.kind not in "fiub" or array.ndim not in (2, 3):
            raise DataError(
                f"Features are (F, D) or (F, N, D) real numbers, got {array.shape} of {array.dtype}.",
                "give one row of numbers a frame; of complex numbers take the real part, or the absolute value",
            )
        self.array = array if array.ndim == 3 else array[:, None]
        self.spec = FeatureSpec(encoder, fps, self.array.shape[2], self.array.shape[1])

    @property
    def num_frames(self) -> int:
        """F, frames of the video."""
        return len(self.array)

    def rows(self, frames: IntArray) -> FloatArray:
        """Pick frames by number: (n,) int64 -> (n, N, D) float32.

        Raises:
            DataError: if a value is NaN or infinite, naming the frame.
        """
        block = np.asarray(self.array[frames], dtype=np.float32)
        finite = np.isfinite(block).reshape(len(block), -1).all(1)
        if not finite.all():
            raise DataError(
                f"Frame {np.asarray(frames)[~finite][0]} of the features holds NaN or infinite values.",
                "encode the video again",
            )
        return block

"""Feature frames that are already in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gad_lightning.data.records import FloatArray
from gad_lightning.data.windows import IntArray
from gad_lightning.schema import FeatureSpec


class ArrayFrames:
    """A :class:`~gad_lightning.FeatureSource` over an array.

    Args:
        array: (F, D) or (F, N, D) numbers.
        fps: frames a second.
        encoder: what made them.
    """

    path: Path | None = None

    def __init__(self, array: FloatArray, fps: float, encoder: str = "array") -> None:
        self.array = array if array.ndim == 3 else array[:, None]
        self.spec = FeatureSpec(encoder, fps, self.array.shape[2], self.array.shape[1])

    @property
    def num_frames(self) -> int:
        """F, frames of the video."""
        return len(self.array)

    def rows(self, frames: IntArray) -> FloatArray:
        """Pick frames by number: (n,) int64 -> (n, N, D) float32."""
        return np.asarray(self.array[frames], dtype=np.float32)

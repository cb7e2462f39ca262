"""What may be pushed to a live stream."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gad_lightning.errors import SettingError

Frames = Tensor | np.ndarray | Sequence[object]
"""What may be pushed: a tensor, an array, or a list of numbers or of lists."""


def tensor_of(frames: object) -> Tensor:
    """What was pushed as a tensor: pictures as uint8, other arrays and lists as float32.

    Raises:
        SettingError: if it is none of numbers.
    """
    if isinstance(frames, Tensor):
        return frames
    reason = ""
    if isinstance(frames, np.ndarray | list | tuple):
        pictures = isinstance(frames, np.ndarray) and frames.dtype == np.uint8
        try:
            return torch.tensor(np.asarray(frames, dtype=np.uint8 if pictures else np.float32))
        except (TypeError, ValueError) as error:
            reason = f" that is not one of numbers: {error}"
    raise SettingError(
        f"push wants frames as a tensor, a NumPy array or a list, got a {type(frames).__name__}{reason}.",
        "push one row of features per stream, or uint8 RGB pictures",
    )

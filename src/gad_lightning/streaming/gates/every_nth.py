"""Opens at every n-th frame."""

from __future__ import annotations

from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.streaming.gates.base import Gate, Glimpse


class EveryNth(Gate):
    """Finds a label anew at every n-th frame of a stream; the frames between are read too, only later.

    Args:
        frames_between: n, at least 1; 1 finds every frame's.
        longest_wait: see :class:`Gate`; a shorter one than n frames counts.

    Raises:
        SettingError: if a setting is out of its range.
    """

    def __init__(self, frames_between: int, longest_wait: float = 60.0) -> None:
        super().__init__(0, longest_wait)
        if not (type(frames_between) is int and frames_between >= 1):
            raise SettingError(f"frames_between is a whole number of 1 or more, got {frames_between!r}.", "4 is usual")
        self.frames_between = frames_between

    def frames(self, fps: float) -> int:
        """Frames that can wait: no more room is kept than for n."""
        return min(self.frames_between, super().frames(fps))

    def forward(self, seen: Glimpse) -> Tensor:
        """Open where n frames have passed."""
        return seen.waited >= self.frames_between

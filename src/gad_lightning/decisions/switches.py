"""When a class is on: one rule for whole videos and for live streams."""

from __future__ import annotations

import math

import numpy as np

from gad_lightning.decisions.observed import Bools, Floats, Ints
from gad_lightning.errors import SettingError
from gad_lightning.parts import Part


class MinimumDuration(Part):
    """How long a class must last before it goes on or off; every event begins and ends so much later.

    Args:
        seconds: 0 or more; 0 is one frame.

    Raises:
        SettingError: if it is below 0.

    Example:
        >>> MinimumDuration(0.5).frames(fps=4.0)
        2
    """

    def __init__(self, seconds: float = 0.0) -> None:
        if not 0 <= seconds < math.inf:
            raise SettingError(f"A minimum duration is 0 seconds or more, got {seconds}.", "use 0 for none")
        self.seconds = seconds

    def frames(self, fps: float) -> int:
        """The same in frames, at least 1."""
        return max(1, math.ceil(self.seconds * fps - 1e-6))


def switched(
    probabilities: Floats, enter: Floats, leave: Floats, frames: int = 1, breaks: Bools | None = None
) -> Bools:
    """Say at which frames each class is on: (F, C) -> (F, C).

    A class goes on once its probability was ``enter`` or more for ``frames`` frames in a row, and off once it was below
    ``leave`` for as many. Every video begins with all classes off. A class's own probability alone matters, so of one
    label a frame two classes can be on where both thresholds are low.

    Args:
        probabilities: (F, C).
        enter: (C,) probability from which a class goes on; above 1 it never does.
        leave: (C,) at most ``enter``.
        frames: at least 1.
        breaks: (F,) True at the first frame of a video; by default all frames are one video.

    Example:
        >>> stir = np.array([[0.5], [0.7], [0.4], [0.2], [0.5]])
        >>> switched(stir, np.array([0.7]), np.array([0.3])).ravel().astype(int).tolist()
        [0, 1, 1, 0, 0]
    """
    rows = np.arange(len(probabilities))[:, None]
    begins = np.zeros(len(probabilities), dtype=bool) if breaks is None else breaks.copy()
    begins[:1] = True
    first = np.maximum.accumulate(np.where(begins, rows[:, 0], 0))[:, None]
    goes_on = _lasting(probabilities >= enter, rows, first, frames)
    goes_off = _lasting(probabilities < leave, rows, first, frames)
    last_on = np.maximum.accumulate(np.where(goes_on, 2 * rows + 1, -1), 0)
    last_off = np.maximum.accumulate(np.where(goes_off, 2 * rows + 1, 2 * first), 0)
    found: Bools = last_on > last_off
    return found


def _lasting(held: Bools, rows: Ints, first: Ints, frames: int) -> Bools:
    """Where something has held for ``frames`` frames in a row, not counting frames before ``first``."""
    if frames == 1:
        return held
    last_not = np.maximum.accumulate(np.where(held, first - 1, rows), 0)
    found: Bools = rows - last_not >= frames
    return found


class Switches:
    """The same rule for live streams, frame by frame.

    Args:
        enter: (C,) as ``switched`` takes it.
        leave: (C,).
        frames: at least 1.
        streams: S, that come and go by themselves.
    """

    def __init__(self, enter: Floats, leave: Floats, frames: int = 1, streams: int = 1) -> None:
        self.enter, self.leave, self.frames = enter, leave, frames
        shape = (streams, len(enter))
        self.above, self.below = (np.zeros(shape, dtype=np.int64) for _ in range(2))
        self.on = np.zeros(shape, dtype=bool)

    def __call__(self, probabilities: Floats, streams: Ints) -> Bools:
        """Say which classes are on after the next frame of some streams: (n, C) -> (n, C).

        Args:
            probabilities: (n, C).
            streams: (n,) different ones.
        """
        self.above[streams] = np.where(probabilities >= self.enter, self.above[streams] + 1, 0)
        self.below[streams] = np.where(probabilities < self.leave, self.below[streams] + 1, 0)
        goes_on, goes_off = self.above[streams] >= self.frames, self.below[streams] >= self.frames
        self.on[streams] = (self.on[streams] | goes_on) & ~goes_off
        found: Bools = self.on[streams]
        return found

    def restart(self, streams: Ints) -> None:
        """Switch all classes of some streams off."""
        for part in (self.above, self.below, self.on):
            part[streams] = 0

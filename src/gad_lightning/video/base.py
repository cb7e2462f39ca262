"""What every source of frames gives: pictures with the time at which they are shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8, red first."""


class Frame(NamedTuple):
    """A picture and its time."""

    seconds: float  # since the source's start, never decreasing; a live source starts with its first frame
    picture: Picture  # (H, W, 3) uint8, red first


class FrameSource(ABC):
    """Something that yields frames in time order and holds no more than a few of them at once.

    Nothing is opened before iteration starts: a source can be sent to a worker process and opened there.
    """

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames from the first one on; a file can be read again, a live source goes on."""


class Resize(NamedTuple):
    """How a picture is brought to another size.

    ``squash`` gives ``side`` x ``side`` and changes the proportions; ``pad`` makes the longer side ``side`` and fills
    up to a square with black, the picture in the middle; ``longer`` does not fill up; ``shorter`` makes the shorter
    side ``side``, never enlarging.
    """

    side: int
    mode: Literal["squash", "pad", "longer", "shorter"] = "squash"

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Width and height after resizing and before padding.

        Example:
            >>> Resize(384, "pad").size_of(1280, 720), Resize(256, "shorter").size_of(340, 200)
            ((384, 216), (340, 200))
        """
        if self.mode == "squash":
            return self.side, self.side
        share = self.side / (min(width, height) if self.mode == "shorter" else max(width, height))
        if self.mode == "shorter":
            share = min(share, 1.0)
        return max(1, round(width * share)), max(1, round(height * share))

    def fill_up(self, picture: Picture) -> Picture:
        """Pad a resized picture to the square, if the mode says so."""
        height, width = picture.shape[:2]
        if self.mode != "pad" or height == width:
            return picture
        square = np.zeros((self.side, self.side, 3), np.uint8)
        top, left = (self.side - height) // 2, (self.side - width) // 2
        square[top : top + height, left : left + width] = picture
        return square

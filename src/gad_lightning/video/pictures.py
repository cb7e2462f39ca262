"""Decoded frames as RGB pictures: as a player shows them, resized, on one thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from gad_lightning.optional import need
from gad_lightning.video.base import Picture, Resize

if TYPE_CHECKING:
    from fractions import Fraction

    from av.video.frame import VideoFrame
    from av.video.plane import VideoPlane

WIDEST_PIXEL = 4.0
"""Pixels that a file calls wider (or higher) than so many times their other side are taken for square ones."""

QUARTERS = {0: (1, 0, 0, 1), 90: (0, -1, 1, 0), -90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), -180: (-1, 0, 0, -1)}
"""Display matrices (a, b, c, d) of turns by so many degrees, against the clock."""


class Converter:
    """Converts decoded frames to RGB: resized, in the proportions and in the orientation that their file asks for.

    Left alone, PyAV starts threads for every conversion: several times slower, and a fork with them around hangs.
    Shrinking first and converting then is 2 to 4 times faster than both in one step, and nearer to a box filter on the
    full RGB picture.

    Args:
        resize: size of the pictures; None keeps theirs.
        pixel: width of a pixel over its height, where that is not 1; the shorter side is stretched.
        deinterlace: keep one field of a frame marked interlaced and fill in the lines between.
    """

    def __init__(self, resize: Resize | None, pixel: Fraction | float | None = None, deinterlace: bool = False) -> None:
        self.resize, self.deinterlace = resize, deinterlace
        ratio = float(pixel or 1)
        self.pixel = ratio if 1 / WIDEST_PIXEL <= ratio <= WIDEST_PIXEL else 1.0
        reformatter = need("av.video.reformatter", why="to read video files").VideoReformatter
        self.shrinker, self.converter = reformatter(), reformatter()
        self.failure: type[Exception] = need("av", why="to read video files").error.FFmpegError

    def __call__(self, frame: VideoFrame) -> Picture:
        """Convert one frame: (H, W, 3)."""
        matrix = _display_matrix(frame)
        frame = _one_picture(frame, self.deinterlace) if frame.interlaced_frame else frame
        width, height = stored = frame.width, frame.height
        if self.resize is not None:
            width, height = self.resize.size_of(*_shown_size(*stored, self.pixel))
        small, kind = frame, frame.format.name
        if kind.startswith("yuv") and width < frame.width and height < frame.height:
            small = self.shrinker.reformat(frame, width, height, kind, interpolation="AREA", threads=1)
        enlarge = None if (width, height) == (small.width, small.height) else "BICUBIC"
        shown = self.converter.reformat(small, width, height, "rgb24", interpolation=enlarge, threads=1)
        if self.resize is None and self.pixel != 1:
            shown = self.shrinker.reformat(
                shown, *_shown_size(*stored, self.pixel), "rgb24", interpolation="BILINEAR", threads=1
            )
        picture: Picture = shown.to_ndarray()
        picture = _turned(picture, matrix)
        return picture if self.resize is None else self.resize.fill_up(picture)


def _shown_size(width: int, height: int, pixel: float) -> tuple[int, int]:
    """Width and height as shown, for stored ones whose pixels are ``pixel`` times as wide as high.

    Example:
        >>> _shown_size(720, 576, 16 / 15), _shown_size(720, 480, 8 / 9)
        ((768, 576), (720, 540))
    """
    return (round(width * pixel), height) if pixel >= 1 else (width, round(height / pixel))


def _display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """How a frame is to be shown: a stored pixel (x, y) at (a x + c y, b x + d y), up to a shift (ISO 14496-12)."""
    try:
        found = cast(Mapping[str, bytes], frame.side_data).get("DISPLAYMATRIX")  # PyAV's annotation knows one key only
    except ValueError:  # PyAV cannot name all that FFmpeg 8 attaches, such as EXIF: it tells quarter turns alone then
        return QUARTERS.get(frame.rotation, QUARTERS[0])
    if found is None:
        return QUARTERS[0]
    a, b, _, c, d = np.frombuffer(bytes(found), np.int32, 5).tolist()
    return a, b, c, d


def _turned(picture: Picture, matrix: tuple[int, int, int, int]) -> Picture:
    """Turn and mirror a picture: (H, W, 3); an oblique matrix counts as the nearest of the eight orientations."""
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        picture, a, d = picture.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _one_picture(frame: VideoFrame, deinterlace: bool) -> VideoFrame:
    """Copy a frame that is marked interlaced, without the mark: it would be shrunk field by field.

    Args:
        frame: as decoded.
        deinterlace: put the mean of their neighbors in place of every second line.
    """
    av = need("av", why="to read video files")
    copy: VideoFrame = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for source, target in zip(frame.planes, copy.planes, strict=True):
        width = min(source.line_size, target.line_size)
        lines, stored = _lines(target), _lines(source)
        lines[:, :width] = stored[:, :width]
        if deinterlace and len(lines) > 2:
            values = lines if frame.format.components[0].bits <= 8 else lines.view(np.uint16)
            between = (values[:-2:2].astype(np.uint32) + values[2::2].astype(np.uint32) + 1) // 2
            values[1:-1:2] = between.astype(values.dtype)
    copy.colorspace, copy.color_range = frame.colorspace, frame.color_range
    return copy


def _lines(plane: VideoPlane) -> NDArray[np.uint8]:
    """The bytes of a plane, as they lie in memory: (lines, bytes a line with padding)."""
    return np.frombuffer(memoryview(plane), np.uint8, plane.height * plane.line_size).reshape(plane.height, -1)

"""One JPEG picture, as the frame of a camera that sends such pictures would be decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gad_lightning.errors import DataError
from gad_lightning.optional import need
from gad_lightning.video.base import Picture, Resize
from gad_lightning.video.pictures import Converter

if TYPE_CHECKING:
    from av import VideoCodecContext

MOST_PIXELS = 50_000_000
"""Of a picture unless told otherwise."""
END = b"\xff\xd9"
"""Marker that ends a picture."""
SCAN = b"\xff\xda"
"""Marker that begins a scan; never part of what a scan holds."""
MOST_SCANS = 100
"""Scans of a picture: programs write about 10, and each costs a pass over all pixels, however short it is."""
TAIL = 1024
"""Bytes at the end of a file in which that marker must stand: cameras may put something behind it."""


class JPEGReader:
    """Decodes JPEG pictures.

    Args:
        resize: size they are handed over in; None keeps theirs.
        most_pixels: of a picture; a larger one is refused before it is decoded.
    """

    def __init__(self, resize: Resize | None = None, most_pixels: int = MOST_PIXELS) -> None:
        self.most_pixels = most_pixels
        self.converter = Converter(resize)

    def read(self, data: bytes) -> Picture:
        """Decode one picture: (H, W, 3).

        Raises:
            DataError: if it is no JPEG, damaged, or too large.
        """
        size = jpeg_size(data)
        if size is None:
            raise DataError("The picture is no JPEG.", "send each frame as one JPEG file")
        if size[0] * size[1] > self.most_pixels:
            raise DataError(
                f"The picture has {size[0]} x {size[1]} pixels; {self.most_pixels:,} are allowed.", "send smaller ones"
            )
        if data.count(SCAN) > MOST_SCANS:
            raise DataError(f"The JPEG picture has more than {MOST_SCANS} scans.", "save it again")
        if END not in data[-TAIL:]:
            raise DataError("The JPEG picture is damaged: its end is missing.", "send it whole")
        av = need("av", why="to decode pictures")
        try:
            codec: VideoCodecContext = av.CodecContext.create("mjpeg", "r")
            codec.thread_count, codec.options = 1, {"err_detect": "explode"}
            frames = [*codec.decode(av.Packet(data)), *codec.decode(None)]
        except (av.error.FFmpegError, ValueError) as error:
            raise DataError("The JPEG picture is damaged.", "send it whole") from error
        if len(frames) != 1 or frames[0].is_corrupt or (frames[0].width, frames[0].height) != size:
            raise DataError("The JPEG picture is damaged.", "send it whole")
        try:
            return self.converter(frames[0])
        except av.error.FFmpegError as error:
            raise DataError(f"The picture of {size[0]} x {size[1]} pixels cannot be resized.", "crop it") from error


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a JPEG file states, without decoding it; None where it is none.

    Source: ITU-T T.81, section B.2.2.

    Example:
        >>> jpeg_size(b"not a picture")
    """
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = (int.from_bytes(data[at + 5 + 2 * which : at + 7 + 2 * which], "big") for which in (0, 1))
            return (width, height) if width and height else None
        at += 1 if kind == 0xFF else 2 + max(2, length)
    return None

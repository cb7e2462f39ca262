"""Tiny videos for tests: frame number i is plain gray of brightness 16 + 8 * i."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from gad_lightning.video.base import Picture
from gad_lightning.video.decode import read_frames

TICKS = 1000


def gray(index: int, width: int = 32, height: int = 32) -> Picture:
    """Picture number ``index``: distinct for 0..29."""
    return np.full((height, width, 3), 16 + 8 * index, np.uint8)


def number_of(picture: Picture) -> int:
    """Which frame a decoded picture was."""
    return round((float(picture.mean()) - 16) / 8)


def write_clip(path: Path, times: Sequence[float], size: tuple[int, int] = (32, 32), **options: str) -> Path:
    """Write one gray frame per time (seconds) as H.264; the suffix of ``path`` chooses the container."""
    front = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", container_options=front) as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1", **options})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(gray(index, *size), format="rgb24")
            frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read_numbers(path: Path) -> list[int]:
    """Decode a clip: what a worker process does."""
    return [number_of(picture) for _, picture in read_frames(path)]

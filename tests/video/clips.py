"""Tiny videos for tests: frame number i is plain gray of brightness 16 + 8 * i."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from gad_lightning.video.base import Frame, Picture, Resize
from gad_lightning.video.decode import Broken, VideoFile

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


def write_at_rate(path: Path, codec: str, rate: Fraction = Fraction(25), **options: str) -> Path:
    """Write 29 gray frames at a constant rate."""
    with av.open(str(path), "w", format={".m2v": "mpeg2video"}.get(path.suffix)) as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for index in range(29):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray(index, 64, 64), format="rgb24")))
        container.mux(stream.encode())
    return path


def _lasting(seconds: float, packets: list[Packet[VideoStream]]) -> list[Packet[VideoStream]]:
    """State how long the pictures of packets are shown."""
    for packet in packets:
        packet.duration = round(seconds / packet.time_base)
    return packets


def write_with_sound(path: Path, times: Sequence[float], seconds: float, codec: str = "aac", **options: str) -> Path:
    """Write gray frames of 0.1 s at these times beside ``seconds`` of silence from 0 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "1", "bf": "0", **options})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        sound = container.add_stream(codec, rate=48000, layout="mono")
        kind, form = (np.float32, "fltp") if codec == "aac" else (np.int16, "s16")
        for index in range(round(seconds * 48000 / 1024)):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), kind), format=form, layout="mono")
            silence.sample_rate, silence.pts, silence.time_base = 48000, 1024 * index, Fraction(1, 48000)
            container.mux(sound.encode(silence))
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(gray(index, 32, 32), format="rgb24")
            frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
            container.mux(_lasting(0.1, stream.encode(frame)))
        container.mux(_lasting(0.1, stream.encode()))
        container.mux(sound.encode())
    return path


def remux(
    source: Path, target: Path, change: Callable[[int, Packet[VideoStream]], Iterable[Packet[VideoStream]]]
) -> Path:
    """Copy the packets of a file's first video stream; ``change`` gives what is written for each, by its number."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            for changed in change(number, packet):
                changed.stream = stream
                new.mux(changed)
    return target


def read_numbers(path: Path) -> list[int]:
    """Decode a clip: what a worker process does."""
    return [number_of(picture) for _, picture in read_frames(path)]


def read_frames(
    path: Path | str, fps: float | None = None, resize: Resize | None = None, broken: Broken = "keep"
) -> Iterator[Frame]:
    """Read the frames of a video file; see :class:`VideoFile`."""
    return iter(VideoFile(path, fps, resize, broken))

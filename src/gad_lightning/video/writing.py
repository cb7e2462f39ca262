"""Writes an mp4 that browsers play from a video file, each picture drawn on, at the times it had; the sound is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from gad_lightning.atomic import atomic_write
from gad_lightning.errors import SettingError
from gad_lightning.optional import need
from gad_lightning.video.base import Picture, Resize
from gad_lightning.video.container import first_video, open_video
from gad_lightning.video.damage import Broken
from gad_lightning.video.decode import VideoFile
from gad_lightning.video.sound import Sound
from gad_lightning.video.timing import CLOCK, HIGHEST_RATE, StreamClock

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

Draw = Callable[[float, Picture], Picture]
"""Gives the picture to write for a time in seconds and the one that was decoded."""
ENCODERS = {
    "libx264": {"preset": "veryfast", "crf": "21", "g": "60"},
    "libopenh264": {"b": "3M", "g": "60"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "6", "crf": "32", "b": "0", "g": "60"},
    "libsvtav1": {"preset": "9", "crf": "35", "g": "60"},
}
"""Encoders whose pictures Chromium plays in an mp4, best first; a key frame every 60 pictures, to jump to."""
TICKS = 90_000
"""Ticks of the clock that is written, a second: multiples of 1/24, 1/25 and 1/30 s, and of 1001/30000 s, are whole."""
SMALLEST, LARGEST = 480, 1280
"""Pixels of the longer side between which a picture keeps its size."""
PLAYED = {
    "mp4": {"h264", "av1", "vp9", "aac", "mp3", "opus", "flac"},
    "webm": {"vp8", "vp9", "av1", "vorbis", "opus"},
}
"""By the ending of a file, what browsers play of it."""
BT709 = 1
"""Number of the colors of HD video in H.264 (ITU-T H.273)."""


class Written(NamedTuple):
    """What became of a video."""

    frames: int
    seconds: float  # time of its last picture
    silent: str  # what is missing of the sound; empty if nothing is
    problem: str | None  # what could not be decoded


def write_video(
    source: Path,
    target: Path,
    draw: Draw | None = None,
    broken: Broken = "keep",
) -> Written:
    """Write a video anew as mp4, whole or not at all, in constant memory.

    Pictures are upright and keep their times, so a variable rate stays one. A picture is made smaller or larger where
    its longer side is not within 480 and 1280 pixels. The sound is copied where an mp4 can hold it, else encoded anew.

    Args:
        source: the video file.
        target: replaced if it is there; its folder exists.
        draw: draws on a picture; None leaves it as it is.
        broken: see :class:`~gad_lightning.VideoFile`.

    Raises:
        MissingDataError, DataError: if there is no such video, or nothing of it can be decoded.
        SettingError: if there is no encoder, or the disk does not take the file.
    """
    av = need("av", why="to write video files")
    codec = encoder_name()
    with open_video(source) as sounding:
        stream = first_video(sounding, source)
        longer = max(stream.codec_context.width, stream.codec_context.height)
        start = StreamClock(sounding, stream, source).start or 0.0
        side = min(max(longer, SMALLEST), LARGEST)
        video = VideoFile(source, resize=Resize(side, "longer"), broken=broken)
        with atomic_write(target) as part, _disk(), av.open(str(part), "w", format="mp4", options=_OPTIONS) as output:
            sound = Sound(sounding, output, start, source)
            pictures = _Pictures(output, codec, stream)
            for frame in video:
                picture = frame.picture if draw is None else draw(frame.seconds, frame.picture)
                pictures.write(frame.seconds, picture)
                sound.write(frame.seconds)
            pictures.close()
            sound.close()
    assert video.report is not None, "iteration has ended"
    return Written(video.report.frames, video.report.seconds, sound.problem, video.report.problem)


_OPTIONS = {"movflags": "+faststart"}
"""What a player needs first stands first."""


@contextmanager
def _disk() -> Iterator[None]:
    """Make of what the disk does not take an error of the disk, not of FFmpeg."""
    failure = need("av", why="to write video files").error.FFmpegError
    try:
        yield
    except failure as error:
        raise OSError(error.errno, error.strerror) from error


def encoder_name() -> str:
    """The encoder that is at hand.

    Raises:
        SettingError: if this PyAV has none.
    """
    av = need("av", why="to write video files")
    for name in ENCODERS:
        try:
            av.Codec(name, "w")
        except (av.error.FFmpegError, ValueError):
            continue
        return name
    raise SettingError(
        f"This PyAV ({av.__version__}) has no encoder of {', '.join(ENCODERS)}.", "install av from PyPI, which has"
    )


class _Pictures:
    """The stream of pictures of an mp4, opened with the first of them.

    Args:
        output: opened for writing, nothing written yet.
        codec: name of the encoder.
        like: stream that states the usual rate.
    """

    def __init__(self, output: OutputContainer, codec: str, like: VideoStream) -> None:
        self.av = need("av", why="to write video files")
        self.output = output
        rate = like.average_rate or like.guessed_rate or Fraction(25)
        if not 1 <= rate <= HIGHEST_RATE:  # the unit of a clock
            rate = Fraction(25)
        self.stream = cast("VideoStream", output.add_stream(codec, rate=rate, options=dict(ENCODERS[codec])))
        self.stream.codec_context.time_base = Fraction(1, TICKS)
        self.last = -1
        self.size: tuple[int, int] | None = None

    def write(self, seconds: float, picture: Picture) -> None:
        """Encode a picture at its time, or one tick after the one before it."""
        height, width = (length // 2 * 2 for length in picture.shape[:2])  # colors are stored of 2 x 2 pixels
        frame = self.av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="rgb24")
        if self.size is None:
            self.size = width, height
            context = self.stream.codec_context
            context.width, context.height, context.pix_fmt = width, height, "yuv420p"
            context.colorspace = context.color_primaries = context.color_trc = context.color_range = BT709
        if self.size != (width, height):  # a file may change the size of its pictures
            frame = frame.reformat(*self.size)
        stored = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1)
        self.last = max(self.last + 1, round(seconds * TICKS))
        stored.pts, stored.time_base = self.last, Fraction(1, TICKS)
        self.output.mux(self.stream.encode(stored))

    def close(self) -> None:
        """Encode what the encoder still holds."""
        self.output.mux(self.stream.encode(None))


def plays_in_browsers(path: Path) -> bool:
    """Whether a browser plays a video file as it is, with the times that its labels have.

    Raises:
        MissingDataError, DataError: if it cannot be opened, or has no pictures.
    """
    known = PLAYED.get(path.suffix.lower().removeprefix("."), set())
    with open_video(path) as container:
        stream = first_video(container, path)
        contexts = [stream.codec_context, *(sound.codec_context for sound in container.streams.audio)]
        names = {"" if context is None else context.codec.canonical_name for context in contexts}
        starts = StreamClock(container, stream, path).start or 0.0
        return names <= known and stream.codec_context.pix_fmt in ("yuv420p", "yuvj420p") and abs(starts) <= CLOCK

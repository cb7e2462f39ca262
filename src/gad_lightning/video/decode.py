"""Frames of a video file at given times: by presentation time, never by frame number or by what the header claims.

Time 0 is the container's start; see :mod:`gad_lightning.video.timing`. Pictures are turned and mirrored as the file
asks, and stretched where its pixels are not square.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gad_lightning.errors import DataError, SettingError
from gad_lightning.video.base import Frame, FrameSource, Picture, Resize
from gad_lightning.video.container import (
    first_video,
    goes_on_elsewhere,
    has_two_movies,
    holds_another,
    open_video,
)
from gad_lightning.video.damage import Broken, Decoding
from gad_lightning.video.pictures import Converter
from gad_lightning.video.timing import StreamClock, at_times, lasts_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

LATE = 0.5
"""Seconds without a picture at a file's start from which its report says so."""


def _ignore() -> None:
    """Nobody wants to know."""


class DecodeReport(NamedTuple):
    """How much of a file was decoded."""

    frames: int  # decoded
    seconds: float  # until the last frame's presentation time
    stated_seconds: float | None  # what the header claims
    problem: str | None  # what is missing or doubtful, or None
    note: str | None = None  # what is unusual and was put right, or None


class VideoFile(FrameSource):
    """The frames of one video file, in constant memory; opened when iteration starts, in the process that iterates.

    Args:
        path: the file; of several video streams the first is read.
        fps: frames a second to give, at times 0, 1 / fps, 2 / fps ...; None gives every decoded frame at its own time.
        resize: size of the pictures, done while converting the colors; None keeps theirs.
        broken: what to do at a part that cannot be decoded or when the file ends early. ``"keep"`` gives what is whole:
            the last picture before the damage stands until the next key frame. ``"skip"`` gives all that the decoder
            makes of the rest, smeared pictures too. ``"refuse"`` raises.
        deinterlace: keep one field of pictures marked interlaced, so that what moves shows no comb.

    Attributes:
        report: how much was decoded, once iteration has ended.
        decoded: called after every decoded frame, given or not.

    Example:
        >>> VideoFile("no such file.mp4", fps=4).report is None
        True
    """

    def __init__(
        self,
        path: Path | str,
        fps: float | None = None,
        resize: Resize | None = None,
        broken: Broken = "keep",
        deinterlace: bool = False,
    ) -> None:
        self.path = Path(path)
        self.fps = fps
        self.resize = resize
        self.broken = broken
        self.deinterlace = deinterlace
        self.report: DecodeReport | None = None
        self.decoded: Callable[[], None] = _ignore

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; once iteration has ended, ``report`` says how much was decoded.

        Raises:
            MissingDataError: if there is no such file.
            DataError: if nothing can be decoded, or at the first broken part if those are refused.
            SettingError: if ``fps`` is not above 0, or if iteration goes on in a forked process.
        """
        if self.fps is not None and not 0 < self.fps < math.inf:
            raise SettingError(f"fps must be above 0, got {self.fps}.", "set it to the frames a second you want")
        process = os.getpid()
        with open_video(self.path) as container:
            stream = first_video(container, self.path)
            clock = StreamClock(container, stream, self.path)
            decoding = Decoding(container, stream, clock, self.broken, self.decoded)
            timed = clock.timed(decoding.stamps())
            convert = Converter(self.resize, stream.sample_aspect_ratio, self.deinterlace)
            last, picture = None, None
            if self.fps is not None:
                timed = at_times(timed, self.fps, lasts_of, clock.last)
            for seconds, frame in timed:
                if picture is None or frame is not last:
                    last, picture = frame, self._picture(convert, frame)
                yield Frame(seconds, picture)
                if os.getpid() != process:
                    raise SettingError(f"{self.path} was opened before a fork.", "start iterating in the worker")
            if not decoding.problem:
                decoding.damage = self._not_read(container, stream, decoding.read_to, clock.end)
            self._conclude(decoding, clock)

    def _not_read(self, container: InputContainer, stream: VideoStream, read_to: int, end: float) -> str:
        """What the file holds besides what was read; empty if nothing."""
        if holds_another(container, self.path, read_to):
            return f"holds another recording behind {end:.3f} s, which is not read"
        if has_two_movies(container, self.path):
            return "holds several recordings joined byte by byte, of which parts are not read"
        if goes_on_elsewhere(container, stream, self.path, read_to):
            return f"goes on behind {end:.3f} s in another stream of pictures, which is not read"
        return ""

    def _picture(self, convert: Converter, frame: VideoFrame) -> Picture:
        """Convert a frame, naming the file if that fails."""
        try:
            return convert(frame)
        except (convert.failure, ValueError) as error:
            raise DataError(
                f"{self.path} has a frame of {frame.width} x {frame.height} in {frame.format.name} that cannot be "
                f"converted to RGB: {error}.",
                "convert the video to H.264 in mp4",
            ) from error

    def _conclude(self, decoding: Decoding, clock: StreamClock) -> None:
        """Keep the report of a file read to its end, and raise if what it says is not accepted."""
        first, stated, problem = clock.first or 0.0, clock.stated_end, decoding.problem or clock.jumps.problem
        if problem is None and first > clock.own_start + 1:
            problem = f"shows nothing before {first:.3f} s: there is no key frame before"
        if problem is None and stated is not None and not clock.jumps.note and clock.end < 0.95 * stated - 1:
            problem = f"ends after {clock.now:.3f} s; its header states {stated:.3f} s"
        notes = [clock.jumps.note] if clock.jumps.note else []
        if clock.rate_is_guessed:
            notes.append(f"states no rate; {1 / clock.gap:g} pictures a second are taken")
        if first > LATE:
            notes.insert(0, f"begins {first:.3f} s before its first picture, which stands for that time")
        self.report = DecodeReport(decoding.count, clock.now, stated, problem, "; ".join(notes) or None)
        if not decoding.count:
            raise DataError(f"{self.path} has no frame that can be decoded.", "check that the file is whole")
        if problem and self.broken == "refuse":
            raise DataError(f"{self.path} {problem}.", "replace the file, or set broken to keep to use the rest")

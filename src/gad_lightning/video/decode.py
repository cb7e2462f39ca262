"""Frames of a video file at given times: by presentation time, never by frame number or by what the header claims.

The frame shown at time t is the last one whose presentation time, counted from the first frame's, is not after t. The
last frame is shown as long as the one before it. Rotation that the file asks for is applied.
"""

from __future__ import annotations

import heapq
import itertools
import math
import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np

from gad_lightning.errors import DataError, SettingError
from gad_lightning.optional import need
from gad_lightning.video.base import Frame, FrameSource, Picture, Resize
from gad_lightning.video.container import first_video, open_video, stated_seconds

Broken = Literal["keep", "skip", "refuse"]
CLOCK = 5e-4
"""Seconds by which a stored time may be off: Matroska rounds to milliseconds."""
LONGEST_GAP = 3600.0
"""Seconds between two frames beyond which the file's clock is taken for broken."""
OUT_OF_ORDER = 2
"""Frames that wait until their times are sorted; decoders deliver pictures in order, but AVI times come shuffled."""

T = TypeVar("T")


class DecodeReport(NamedTuple):
    """How much of a file was decoded."""

    frames: int  # decoded
    seconds: float  # until the last frame's presentation time
    stated_seconds: float | None  # what the header claims
    problem: str | None  # why decoding ended early, or None


class VideoFile(FrameSource):
    """The frames of one video file, in constant memory; opened when iteration starts, in the process that iterates.

    Args:
        path: the file; of several video streams the first is read.
        fps: frames a second to give, at times 0, 1 / fps, 2 / fps ...; None gives every decoded frame at its own time.
        resize: size of the pictures, done while converting the colors; None keeps theirs.
        broken: what to do at a part that cannot be decoded or when the file ends early. ``"keep"`` ends there and keeps
            what came before; ``"skip"`` goes on behind it; ``"refuse"`` raises.

    Example:
        >>> VideoFile("no such file.mp4", fps=4).report is None
        True
    """

    def __init__(
        self, path: Path | str, fps: float | None = None, resize: Resize | None = None, broken: Broken = "keep"
    ) -> None:
        self.path = Path(path)
        self.fps = fps
        self.resize = resize
        self.broken = broken
        self.report: DecodeReport | None = None

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; once iteration has ended, ``report`` says how much was decoded.

        Raises:
            MissingDataError: if there is no such file.
            DataError: if nothing can be decoded, or at the first broken part if those are refused.
            SettingError: if ``fps`` is not above 0, or if iteration goes on in a forked process.
        """
        if self.fps is not None and not self.fps > 0:
            raise SettingError(f"fps must be above 0, got {self.fps}.", "set it to the frames a second you want")
        process = os.getpid()
        with open_video(self.path) as container:
            stream = first_video(container, self.path)
            timed = in_time_order(self.decoded(container, stream), usual_gap(stream))
            convert = Converter(self.resize)
            last, picture = None, None
            for seconds, frame in timed if self.fps is None else at_times(timed, self.fps):
                if picture is None or frame is not last:
                    last, picture = frame, self.picture(convert, frame)
                yield Frame(seconds, picture)
                if os.getpid() != process:
                    raise SettingError(f"{self.path} was opened before a fork.", "start iterating in the worker")

    def picture(self, convert: Converter, frame: Any) -> Picture:
        """Convert a frame, naming the file if that fails."""
        try:
            return convert(frame)
        except (convert.failure, ValueError) as error:
            raise DataError(
                f"{self.path} has a frame of {frame.width} x {frame.height} in {frame.format.name} that cannot be "
                f"converted to RGB: {error}.",
                "convert the video to H.264 in mp4",
            ) from error

    def decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield the decoder's frames in its order, then write ``report``."""
        av = need("av", why="to read video files")
        count, first, last, problem = 0, None, 0.0, None
        packets = container.demux(stream)
        while problem is None or self.broken == "skip":
            try:
                frames = next(packets).decode()
            except StopIteration:
                break
            except av.error.FFmpegError as error:
                problem = problem or f"cannot be decoded behind frame {count} at {last:.3f} s: {error.strerror}"
                continue
            for frame in frames:
                now = last if frame.time is None else frame.time - (first := frame.time if first is None else first)
                if abs(now - last) > LONGEST_GAP:
                    problem = f"has a clock that jumps from {last:.3f} s to {now:.3f} s"
                    break
                count, last = count + 1, max(last, now)
                yield frame
        self.conclude(DecodeReport(count, last, stated_seconds(container, stream), problem))

    def conclude(self, report: DecodeReport) -> None:
        """Keep the report of a file read to its end, and raise if what it says is not accepted."""
        stated = report.stated_seconds
        if report.problem is None and stated is not None and report.seconds < 0.95 * stated - 1:
            report = report._replace(problem=f"ends after {report.seconds:.3f} s; its header states {stated:.3f} s")
        self.report = report
        if not report.frames:
            raise DataError(f"{self.path} has no frame that can be decoded.", "check that the file is whole")
        if report.problem and self.broken == "refuse":
            raise DataError(f"{self.path} {report.problem}.", "replace the file, or set broken to keep to use the rest")


def read_frames(
    path: Path | str, fps: float | None = None, resize: Resize | None = None, broken: Broken = "keep"
) -> Iterator[Frame]:
    """Read the frames of a video file; see :class:`VideoFile`."""
    return iter(VideoFile(path, fps, resize, broken))


def usual_gap(stream: Any) -> float:
    """Seconds between frames for those that come without a time, as in a bare H.264 stream."""
    rate = stream.average_rate or stream.guessed_rate or 25
    return float(1 / rate)


def in_time_order(frames: Iterable[Any], gap: float) -> Iterator[tuple[float, Any]]:
    """Give frames their times, from 0 and never decreasing.

    Times that come shuffled are sorted; the pictures stay in the decoder's order, which is the order of showing.

    Args:
        frames: as decoded; each has a ``time`` in seconds or None.
        gap: seconds to add where there is no time.
    """
    waiting: deque[Any] = deque()
    times: list[float] = []
    latest, now, first = -gap, 0.0, None
    for frame in itertools.chain(frames, itertools.repeat(None, OUT_OF_ORDER)):
        if frame is not None:
            latest = latest + gap if frame.time is None else frame.time
            heapq.heappush(times, latest)
            waiting.append(frame)
        if waiting and (frame is None or len(waiting) > OUT_OF_ORDER):
            time = heapq.heappop(times)
            first = time if first is None else first
            now = max(now, time - first)
            yield now, waiting.popleft()


def at_times(timed: Iterable[tuple[float, T]], fps: float) -> Iterator[tuple[float, T]]:
    """Give what is shown at times 0, 1 / fps, 2 / fps ...

    The last is shown as long as the one before it; or as the one before that, if a gap of twice that length came then.

    Args:
        timed: seconds, never decreasing, and what is shown from then on.
        fps: how often to look.

    Example:
        >>> list(at_times([(0.0, "a"), (0.9, "b"), (1.0, "c")], fps=2))
        [(0.0, 'a'), (0.5, 'a'), (1.0, 'c')]
    """
    ticks = 0
    before, gap, since, shown = math.inf, 0.0, 0.0, None
    for seconds, item in timed:
        while shown is not None and ticks / fps < seconds - CLOCK:
            yield ticks / fps, shown
            ticks += 1
        before, gap, since, shown = gap or before, seconds - since, seconds, item
    gap = gap if gap <= 2 * before else before
    while shown is not None and (ticks / fps < since + CLOCK or ticks / fps < since + gap - 2 * CLOCK):
        yield ticks / fps, shown
        ticks += 1


class Converter:
    """Converts decoded frames to RGB, resized and turned as their file asks, on one thread.

    Left alone, PyAV starts threads for every conversion: several times slower, and a fork with them around hangs.
    Shrinking first and converting then is 2 to 4 times faster than both in one step, and nearer to a box filter on the
    full RGB picture.
    """

    def __init__(self, resize: Resize | None) -> None:
        self.resize = resize
        kind = need("av.video.reformatter", why="to read video files").VideoReformatter
        self.shrinker, self.converter = kind(), kind()
        self.failure: type[Exception] = need("av", why="to read video files").error.FFmpegError

    def __call__(self, frame: Any) -> Picture:
        """Convert one frame: (H, W, 3)."""
        width, height = frame.width, frame.height
        if self.resize is not None:
            width, height = self.resize.size_of(width, height)
        small, kind, rotation = frame, frame.format.name, frame.rotation
        if kind.startswith("yuv") and width < frame.width and height < frame.height:
            small = self.shrinker.reformat(frame, width, height, kind, interpolation="AREA", threads=1)
        enlarge = None if (width, height) == (small.width, small.height) else "BICUBIC"
        picture: Picture = self.converter.reformat(
            small, width, height, "rgb24", interpolation=enlarge, threads=1
        ).to_ndarray()
        quarters = round(rotation / 90) % 4
        if quarters:
            picture = np.ascontiguousarray(np.rot90(picture, quarters))
        return picture if self.resize is None else self.resize.fill_up(picture)

"""When each frame is shown: counted from the container's start, on one clock, whatever the stored times do.

Time 0 is the start of the container, that is of its earliest stream, sound or picture, as players and annotation tools
have it. What is shown at time t is the last frame whose time is not after t; before the first frame, that one.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from weakref import proxy

from gad_lightning.errors import GadError
from gad_lightning.optional import need
from gad_lightning.video.container import first_video, is_cover, is_whole_matroska, open_video, stated_seconds
from gad_lightning.video.jumps import BACK, JOINED_BACK, LONGEST_GAP, Jumps, Stamp
from gad_lightning.video.later_times import LaterTimes

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

TIME_ZERO = "container start"
"""Name of the rule for time 0, as ``features.json`` states it."""
CLOCK = 5e-4
"""Seconds by which a stored time may be off: Matroska rounds to milliseconds."""
PRIMING = 0.1
"""Seconds of silence, at most, that sound encoders put before the sound; most containers cannot tell it from sound."""
HIGHEST_RATE = 480.0
"""Frames a second beyond which a stated rate is the unit of a clock instead."""
OUT_OF_ORDER = 2
"""Frames, at least, that wait until their times are sorted, for files that store times in the decoder's order."""

T = TypeVar("T")


class StreamClock:
    """Reads the times of one stream's frames, in seconds from time 0.

    Args:
        container: opened for reading.
        stream: its pictures.
        path: the file, if it is one.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, path: Path | None = None) -> None:
        kinds = need("av.format", why="to read video files").Flags
        flags = container.format.flags
        self.stream = stream
        self.start, sound_first = _start_of(container, stream)
        own = _start(stream)
        self.own_start = math.inf if own is None else own - (self.start or 0.0)  # of the pictures, decoded or not
        self.is_matroska = "matroska" in container.format.name
        self.stated_end = (_matroska_end if self.is_matroska else _stated_end)(container, stream, self.start or 0.0)
        self.states_last = "DURATION" in stream.metadata and path is not None and is_whole_matroska(path)
        self.states_priming = not sound_first or _states_priming(container)
        self.has_times = stream.start_time is not None or not flags & kinds.no_timestamps.value
        self.in_decoding_order = container.format.name == "avi"  # it numbers pictures as they are stored
        self.decoding_times: list[float] = []  # of pictures that the decoder holds
        self.gap = _usual_gap(stream)
        later = LaterTimes(path, stream.index) if path is not None and path.is_file() else None
        self.later = None if self.in_decoding_order else later
        clock = proxy(self)  # a circle would keep what FFmpeg holds until Python looks for circles
        self.jumps = Jumps(
            bool(flags & kinds.ts_discont.value), self.gap, self.stated_end, lambda *times: clock._comes_back(*times)
        )
        self.first: float | None = None  # time of the first frame
        self.zero = 0.0  # what is taken off all times, see _zero
        self.now = self.end = 0.0  # of the last frame: its time, and until when it lasts

    def sent(self, packet: Packet[VideoStream]) -> None:
        """Take note of a packet that the decoder took."""
        if self.in_decoding_order and packet.dts is not None:
            heapq.heappush(self.decoding_times, float(packet.dts * packet.time_base))

    def stamp(self, frame: VideoFrame) -> Stamp[VideoFrame]:
        """What the file says of a decoded frame's time."""
        base = frame.time_base or self.stream.time_base
        if base is None or not self.has_times:
            return Stamp(None, lasts_of(frame), frame)
        seconds = None if frame.pts is None else float(frame.pts * base)
        if self.decoding_times:
            seconds = heapq.heappop(self.decoding_times)
            held = self.stream.codec_context.reorder_depth + 1
            while len(self.decoding_times) > held:  # of pictures that never came
                seconds = heapq.heappop(self.decoding_times)
        if seconds is None:
            return Stamp(None, lasts_of(frame), frame)
        if self.start is None:  # no stream states when it begins
            self.start = seconds
            if self.is_matroska and self.stated_end is not None:
                self.stated_end -= seconds
        return Stamp(seconds - self.start, lasts_of(frame), frame)

    @property
    def rate_is_guessed(self) -> bool:
        """Whether neither times nor a rate are stated, as in bare MJPEG and some bare H.264."""
        return not self.has_times and not self.stream.codec_context.framerate

    def timed(self, stamps: Iterable[Stamp[VideoFrame]]) -> Iterator[tuple[float, VideoFrame]]:
        """Yield frames in their order and their times, from 0 on and never decreasing."""
        for seconds, stamp in _in_order(self.jumps.run(stamps), self._held):
            if self.first is None:
                self.zero = self._zero(seconds)
            self.now = max(self.now, seconds - self.zero)
            self.end = self.now + min(self.last(self.now) or stamp.lasts, LONGEST_GAP)
            self.first = self.now if self.first is None else self.first
            yield self.now, stamp.frame

    def last(self, seconds: float) -> float:
        """Seconds that a last frame is shown, given its time; 0 where nothing but the frame itself tells.

        Matroska states the end of its streams. Where the end is one frame at the nominal rate later, it is the muxer's
        guess.
        """
        lasts = (self.stated_end or 0.0) - self.zero - seconds
        known = self.states_last and not (self.jumps.problem or self.jumps.note)
        return lasts if known and lasts > 0 and abs(lasts - self.gap) > 4 * CLOCK else 0.0

    def _comes_back(self, seconds: float, before: float) -> bool:
        """Whether the clock comes back behind a frame that jumps ahead; see :class:`Jumps`."""
        start = self.start or 0.0
        margin = max(BACK, self.jumps.ahead)
        return self.later is not None and self.later.comes_back(seconds + start, margin, before + start - JOINED_BACK)

    def _held(self) -> int:
        """Frames within which their times are shuffled at most: what the decoder reorders, and its own delay."""
        return max(OUT_OF_ORDER, 2 * self.stream.codec_context.reorder_depth)

    def _zero(self, first: float) -> float:
        """What to take off all times, given the first frame's: below 0.1 s, or what brings the first frame to 0.

        Sound encoders begin with a little silence. In formats that cannot say so pictures begin that much later, by a
        part of a frame: it is left out, so that the first frame begins a whole number of frames after the sound.
        """
        if first <= CLOCK:
            return first
        part = first % self.gap
        return 0.0 if self.states_priming or part > PRIMING or part > self.gap - CLOCK else part


def _usual_gap(stream: VideoStream) -> float:
    """Seconds between frames for those that come without a time."""
    rates = [float(rate) for rate in (stream.guessed_rate, stream.average_rate) if rate]
    return 1 / next((rate for rate in rates if rate <= HIGHEST_RATE), 25.0)


def rate_of(path: Path) -> float:
    """Frames a second that a video file states; nan if it is none, or states nothing that can be.

    Example:
        >>> rate_of(Path("no such file.mp4"))
        nan
    """
    return _stated(path)[0]


def length_of(path: Path) -> float:
    """Seconds that a video file states; nan if it is none, or states nothing."""
    return _stated(path)[1]


def _stated(path: Path) -> tuple[float, float]:
    """Frames a second and seconds of a video file as it states them."""
    try:
        with open_video(path) as container:
            stream = first_video(container, path)
            rate, seconds = stream.average_rate or stream.guessed_rate, stated_seconds(container, stream)
            known = float(rate) if rate and rate <= HIGHEST_RATE else math.nan
            return known, math.nan if seconds is None else seconds
    except GadError:
        return math.nan, math.nan


def lasts_of(frame: VideoFrame) -> float:
    """Seconds that a frame is shown as its file states, or 0."""
    return float(frame.duration * frame.time_base) if frame.duration > 0 and frame.time_base else 0.0


def _start_of(container: InputContainer, stream: VideoStream) -> tuple[float | None, bool]:
    """Time 0 on the stored clock, in seconds, or None; and whether sound begins before the pictures."""
    sound = [_start(other) for other in container.streams.audio]
    pictures = [_start(other) for other in container.streams.video if not is_cover(other)]
    starts = [start for start in sound + pictures if start is not None]
    if not starts:
        return None if container.start_time is None else container.start_time / 1e6, False
    return min(starts), min(starts) in sound and min(starts) not in pictures


def _states_priming(container: InputContainer) -> bool:
    """Whether a file says how much of its sound comes before the start, as an edit list of mp4 does."""
    return any(
        sound.start_time is not None
        and len(sound.index_entries)
        and sound.index_entries[0].timestamp < sound.start_time
        for sound in container.streams.audio
    )


def _start(stream: Stream) -> float | None:
    if stream.start_time is None or stream.time_base is None:
        return None
    return float(stream.start_time * stream.time_base)


def _stated_end(container: InputContainer, stream: VideoStream, start: float) -> float | None:
    """Seconds from time 0 at which the pictures end as the file claims, or None."""
    own = _start(stream)
    if stream.duration is not None and stream.time_base is not None:
        return (start if own is None else own) - start + float(stream.duration * stream.time_base)
    return None if not container.duration else container.duration / 1e6


def _matroska_end(container: InputContainer, stream: VideoStream, start: float) -> float | None:
    """The same for Matroska, which counts from 0 of its clock; its muxers state the end of every stream as a tag."""
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds) - start
    except ValueError:
        return None if not container.duration else container.duration / 1e6 - start


def _in_order(timed: Iterable[tuple[float, T]], held: Callable[[], int]) -> Iterator[tuple[float, T]]:
    """Sort times that come shuffled within ``held()`` items; the items stay in their order."""
    waiting: deque[T] = deque()
    times: list[float] = []
    for seconds, item in timed:
        heapq.heappush(times, seconds)
        waiting.append(item)
        if len(waiting) > held():
            yield heapq.heappop(times), waiting.popleft()
    yield from zip(sorted(times), waiting, strict=True)


def at_times(
    timed: Iterable[tuple[float, T]],
    fps: float,
    lasts: Callable[[T], float] | None = None,
    last: Callable[[float], float] | None = None,
) -> Iterator[tuple[float, T]]:
    """Give what is shown at times 0, 1 / fps, 2 / fps ...; before the first item, that one.

    The last is shown as long as it states, if what the one before it states was true; among items of one length a
    shorter last one is a muxer's guess. Else it is shown as long as the one before it; or as the one before that, if a
    gap of twice that length came then.

    Args:
        timed: seconds, never decreasing, and what is shown from then on.
        fps: how often to look.
        lasts: seconds that an item states it is shown, 0 for nothing.
        last: seconds that the last item is shown, given its time, 0 where that is unknown; goes before ``lasts``.

    Example:
        >>> list(at_times([(0.0, "a"), (0.9, "b"), (1.0, "c")], fps=2))
        [(0.0, 'a'), (0.5, 'a'), (1.0, 'c')]
        >>> list(at_times([(0.5, "a"), (1.0, "b")], fps=2, lasts=lambda item: 0.5))
        [(0.0, 'a'), (0.5, 'a'), (1.0, 'b')]
    """
    items = iter(timed)
    first = next(items, None)
    if first is None:
        return
    since, shown = first
    ticks, before, gap, is_true = 0, math.inf, 0.0, True
    shortest, longest = math.inf, 0.0
    for seconds, item in items:
        while ticks / fps < seconds - CLOCK:
            yield ticks / fps, shown
            ticks += 1
        before, gap = gap or before, seconds - since
        is_true = lasts is not None and abs(lasts(shown) - gap) <= max(4 * CLOCK, 0.1 * gap)
        shortest, longest = min(shortest, gap), max(longest, gap)
        since, shown = seconds, item
    held = gap if gap <= 2 * before else before
    stated = lasts(shown) if lasts is not None and is_true else 0.0
    stated = (last(since) if last is not None else 0.0) or stated
    if stated > held or (stated > 0 and longest > 1.5 * shortest):
        held = min(stated, LONGEST_GAP)
    while ticks / fps < since + CLOCK or ticks / fps < since + held - 4 * CLOCK:
        yield ticks / fps, shown
        ticks += 1

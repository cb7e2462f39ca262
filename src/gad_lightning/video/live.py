"""Live frames: a camera, a URL or a file that is played or still growing, at a steady rate, through outages."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import Literal, NamedTuple

from gad_lightning.errors import DataError, GadError, SettingError
from gad_lightning.video.address import Address, address_of
from gad_lightning.video.base import Frame, FrameSource, Resize
from gad_lightning.video.connection import Connection, open_container
from gad_lightning.video.pictures import Converter
from gad_lightning.video.timing import at_times, lasts_of

Pace = Literal["auto", "own", "arrival"]


class Notice(NamedTuple):
    """What happens to a source; no password is in it."""

    event: Literal["connected", "lost", "ended"]
    why: str


def _ignore(notice: Notice) -> None:
    """Tell nobody."""


class LiveSource(FrameSource):
    """Frames at times 0, 1 / fps, 2 / fps ..., each the picture shown then, as :class:`VideoFile` gives them.

    Times are the source's presentation times, or times of arrival where its format has none. A recording's count from
    its start, as those of a file; a live source's from its first frame. What is shown at a time is known when the next
    frame is there. A source that is lost is tried again, after 1, 2, 4 ... seconds. Times of a live source then go on
    by the wall clock, so an outage is a gap, never a repeated picture. A recording goes on behind the last frame that
    was given.

    Args:
        address: path of a file, URL (rtsp, http, udp ...) or camera: ``camera``, ``camera:1``, ``/dev/video0``.
        fps: frames a second to give.
        resize: size of the pictures; None keeps theirs.
        pace: ``"own"`` gives each frame when it is due, ``"arrival"`` as soon as it is there; ``"auto"`` is own for
            files, for URLs that state a length and for playlists (HLS, DASH), which come in bursts, else arrival.
        follow: go on reading a file that is still written to, until it has not grown for ``timeout_seconds``; its
            format must be one that can be read so (MPEG-TS, Matroska).
        timeout_seconds: a source that gives nothing for so long is lost.
        retries: attempts in a row without a new frame after which a lost source is given up; None never gives up, 0
            takes a loss for the end.
        wait_seconds: first and longest wait between attempts.
        options: further options of FFmpeg's, such as ``{"video_size": "1280x720"}`` for a camera, or
            ``{"rtsp_transport": "udp"}`` for one that does not send over TCP.
        same_host: read what a playlist (HLS, DASH) or a redirection names from the source's own host and port only;
            for http and https.

    Attributes:
        tell: called with what happens, in the thread that reads; set it to be told.

    Example:
        >>> LiveSource("rtsp://admin:12345@10.0.0.7/live", fps=4).address
        Address(shown='rtsp://***@10.0.0.7/live', kind='url', format=None)
    """

    def __init__(
        self,
        address: Address | str,
        fps: float,
        resize: Resize | None = None,
        pace: Pace = "auto",
        follow: bool = False,
        timeout_seconds: float = 10.0,
        retries: int | None = None,
        wait_seconds: tuple[float, float] = (1.0, 30.0),
        options: dict[str, str] | None = None,
        same_host: bool = False,
    ) -> None:
        if not (0 < fps < math.inf and timeout_seconds > 0):
            raise SettingError(
                f"fps (below inf) and timeout_seconds must be above 0, got {fps} and {timeout_seconds}.",
                "set fps to the rate of the features, such as 4, and timeout_seconds to 10",
            )
        self.address = address_of(address) if isinstance(address, str) else address
        self.fps, self.resize, self.pace, self.follow = fps, resize, pace, follow
        self.timeout_seconds, self.retries, self.wait_seconds = timeout_seconds, retries, wait_seconds
        self.options, self.same_host = dict(options or {}), same_host
        if same_host and not self.address.url.lower().startswith(("http://", "https://")):
            raise SettingError(
                f"same_host is true and {self.address} is no http or https address.", "set same_host to false"
            )
        self.tell: Callable[[Notice], None] = _ignore
        self.stopped = Event()
        self.failures = 0  # attempts since the last new frame
        self._origin: float | None = None  # time.monotonic() at stream time 0
        self._tick = -1  # number of the last frame given

    def stop(self) -> None:
        """End the iteration soon, from any thread; a read that waits for data ends at its timeout."""
        self.stopped.set()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames until the source ends, is given up or stopped.

        Raises:
            MissingDataError: if there is no such file.
            DataError: if the source cannot be opened at first, or is given up.
        """
        self._origin, self._tick = None, -1
        connection: Connection | None = self.open()
        while connection is not None:
            self.tell(Notice("connected", str(connection)))
            with connection.container:
                yield from self._frames(connection)
            if self.stopped.is_set() or self.is_over(connection):
                why = "stopped" if self.stopped.is_set() else connection.problem or connection.put_right
                self.tell(Notice("ended", why or "the source has ended"))
                return
            connection = self.reconnect(connection.problem or "the stream has ended")

    def _frames(self, connection: Connection) -> Iterator[Frame]:
        """Yield the frames of one connection: all of a live one, those of a recording that were not given before."""
        in_bursts = not {"hls", "dash"}.isdisjoint(connection.container.format.name.split(","))
        paced = self.pace == "own" or (self.pace == "auto" and (connection.recorded or in_bursts))
        convert = Converter(self.resize, connection.stream.sample_aspect_ratio)
        begin, given = 0, self._tick
        if connection.recorded:
            self._origin = None  # a recording goes on where it was: there is no gap
        elif self._origin is not None:
            begin = max(given + 1, math.ceil((time.monotonic() - self._origin) * self.fps))
        last = picture = None
        for seconds, frame in at_times(connection.timed(), self.fps, lasts_of, connection.clock.last):
            tick = begin + round(seconds * self.fps)
            if tick <= given:
                continue
            self._tick, self.failures = tick, 0
            if self._origin is None:
                self._origin = time.monotonic() - (tick / self.fps if given >= 0 else 0.0)
            if paced and self.stopped.wait(max(0.0, self._origin + tick / self.fps - time.monotonic())):
                return
            if picture is None or frame is not last:
                last, picture = frame, convert(frame)
            yield Frame(tick / self.fps, picture)

    def open(self) -> Connection:
        """Open the source once.

        Raises:
            MissingDataError: if there is no such file.
            DataError: if it cannot be opened or has no video.
        """
        container = open_container(self.address, self.follow, self.timeout_seconds, self.options, self.same_host)
        try:
            return Connection(self.address, container, self.timeout_seconds, self.stopped)
        except GadError:
            container.close()
            raise

    def is_over(self, connection: Connection) -> bool:
        """Whether the end of a connection is the source's: all of a recording was given, or no retry is wanted."""
        return self.address.kind == "file" or connection.is_complete or self.retries == 0

    def reconnect(self, why: str) -> Connection | None:
        """Try again, ever more rarely, until the source is back or stopped (None).

        Raises:
            DataError: if it is given up.
        """
        first, longest = self.wait_seconds
        failed = "brought nothing new"
        while self.retries is None or self.failures < self.retries:
            wait = min(longest, first * 2.0 ** min(self.failures, 30))
            self.tell(Notice("lost", f"{why.rstrip('.')}; next attempt in {wait:g} s"))
            if self.stopped.wait(wait):
                self.tell(Notice("ended", "stopped"))
                return None
            self.failures += 1
            try:
                return self.open()
            except GadError as error:
                why, failed = error.message, "did not come back"
        raise DataError(
            f"{self.address} is lost and {failed} in {self.failures} attempts: {why}",
            f"check the camera or server, or raise retries above {self.retries}",
        )

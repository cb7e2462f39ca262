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
from gad_lightning.video.decode import Converter, at_times

Pace = Literal["auto", "own", "arrival"]


class Notice(NamedTuple):
    """What happens to a source; no password is in it."""

    event: Literal["connected", "lost", "ended"]
    why: str


def _ignore(notice: Notice) -> None:
    """Tell nobody."""


class LiveSource(FrameSource):
    """Frames at times 0, 1 / fps, 2 / fps ..., each the picture shown then, as :class:`VideoFile` gives them.

    Times are the source's presentation times, counted from its first frame, or times of arrival where its format has
    none. What is shown at a time is known when the source's next frame is there. A source that is lost is tried again,
    after 1, 2, 4 ... seconds; times then go on by the wall clock, so an outage is a gap, never a repeated picture. A
    recording that is lost begins anew.

    Args:
        address: path of a file, URL (rtsp, http, udp ...) or camera: ``camera``, ``camera:1``, ``/dev/video0``.
        fps: frames a second to give.
        resize: size of the pictures; None keeps theirs.
        pace: ``"own"`` gives each frame when it is due, ``"arrival"`` as soon as it is there; ``"auto"`` is own for
            files, for URLs that state a length and for playlists (HLS, DASH), which come in bursts, else arrival.
        follow: go on reading a file that is still written to, until it has not grown for ``timeout_seconds``; its
            format must be one that can be read so (MPEG-TS, Matroska).
        timeout_seconds: a source that gives nothing for so long is lost.
        retries: attempts in a row after which a lost source is given up; None never gives up, 0 takes a loss
            for the end.
        wait_seconds: first and longest wait between attempts.
        options: further options of FFmpeg's, such as ``{"video_size": "1280x720"}`` for a camera.

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
    ) -> None:
        if not (fps > 0 and timeout_seconds > 0):
            raise SettingError(f"fps and timeout_seconds must be above 0, got {fps} and {timeout_seconds}.", "raise it")
        self.address = address_of(address) if isinstance(address, str) else address
        self.fps, self.resize, self.pace, self.follow = fps, resize, pace, follow
        self.timeout_seconds, self.retries, self.wait_seconds = timeout_seconds, retries, wait_seconds
        self.options = dict(options or {})
        self.tell: Callable[[Notice], None] = _ignore
        self.stopped = Event()
        self.failures = 0  # attempts since the last frame

    def stop(self) -> None:
        """End the iteration soon, from any thread; a read that waits for data ends at its timeout."""
        self.stopped.set()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames until the source ends, is given up or stopped.

        Raises:
            MissingDataError: if there is no such file.
            DataError: if the source cannot be opened at first, or is given up.
        """
        convert, origin, tick = Converter(self.resize), None, -1
        connection: Connection | None = self.open()
        while connection is not None:
            self.tell(Notice("connected", str(connection)))
            in_bursts = not {"hls", "dash"}.isdisjoint(connection.container.format.name.split(","))
            paced = self.pace == "own" or (self.pace == "auto" and (connection.recorded or in_bursts))
            begin = 0 if origin is None else max(tick + 1, math.ceil((time.monotonic() - origin) * self.fps))
            last = picture = None
            with connection.container:
                for seconds, frame in at_times(connection.timed(), self.fps):
                    tick, self.failures = begin + round(seconds * self.fps), 0
                    origin = time.monotonic() if origin is None else origin
                    if paced and self.stopped.wait(max(0.0, origin + tick / self.fps - time.monotonic())):
                        break
                    if picture is None or frame is not last:
                        last, picture = frame, convert(frame)
                    yield Frame(tick / self.fps, picture)
            if self.stopped.is_set() or self.is_over(connection):
                why = "stopped" if self.stopped.is_set() else connection.problem
                self.tell(Notice("ended", why or "the source has ended"))
                return
            connection = self.reconnect(connection.problem or "the stream has ended")

    def open(self) -> Connection:
        """Open the source once.

        Raises:
            MissingDataError: if there is no such file.
            DataError: if it cannot be opened or has no video.
        """
        container = open_container(self.address, self.follow, self.timeout_seconds, self.options)
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
                why = error.message
        raise DataError(
            f"{self.address} is lost and did not come back in {self.failures} attempts: {why}",
            "check the camera or server, or raise retries",
        )

"""One connection to a live source: opened, decoded and timed until it ends, breaks or falls silent."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from gad_lightning.errors import DataError
from gad_lightning.optional import need
from gad_lightning.video.address import Address
from gad_lightning.video.container import CONTAINERS, first_video, packets_of, stated_seconds
from gad_lightning.video.damage import held_frames
from gad_lightning.video.jumps import LONGEST_GAP, Stamp
from gad_lightning.video.same_host import opener_for
from gad_lightning.video.timing import StreamClock

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

PROTOCOLS = "http,https,httpproxy,tcp,tls,crypto,udp,rtp,srtp,rtsp,rtsps,rtmp,rtmps,srt"
"""What a URL may lead to: the network, never a file of this machine."""
UNTIMED = {"mjpeg", "mpjpeg", "h264", "hevc", "jpeg_pipe", "image2pipe"}
"""Formats without times of their own; what FFmpeg counts up for them knows nothing of the camera."""
LONGEST_STEP_BACK = 1.0
"""Seconds by which a live clock may fall back before it is taken for another one."""
MOST_BROKEN = 250
"""Packets in a row that cannot be decoded before a connection is given up."""


class Connection:
    """An opened source; ``problem`` says why its frames end, None for a proper end.

    Args:
        address: what was opened.
        container: opened for reading; closed by the caller.
        timeout_seconds: how long a read waits for data.
        stopped: ends decoding when set.

    Attributes:
        recorded: whether it is a file, or states a length; its times then count from its start, see
            :mod:`gad_lightning.video.timing`. Those of a live source count from its first frame.

    Raises:
        DataError: if there is no video in it.
    """

    def __init__(self, address: Address, container: InputContainer, timeout_seconds: float, stopped: Event) -> None:
        self.address, self.container = address, container
        self.timeout_seconds, self.stopped = timeout_seconds, stopped
        self.stream = first_video(container, address.shown)
        path = Path(address.url) if address.kind == "file" else None
        self.clock = StreamClock(container, self.stream, path)
        self.recorded = path is not None or bool(stated_seconds(container, self.stream))  # live streams may state 0
        self.has_times = self.recorded or container.format.name not in UNTIMED
        self.problem: str | None = None

    def __str__(self) -> str:
        context = self.stream.codec_context
        times = "" if self.has_times else ", timed by arrival"
        kind = "recording" if self.recorded else "live"
        return f"{kind}, {context.name} {context.width}x{context.height}{times}"

    @property
    def is_complete(self) -> bool:
        """Whether a recording was given to its end."""
        stated = self.clock.stated_end
        return self.recorded and self.problem is None and stated is not None and self.clock.end >= 0.95 * stated - 1

    @property
    def put_right(self) -> str | None:
        """What was odd about a recording's times, or None."""
        note = self.clock.jumps.note
        return None if note is None else f"the source has ended; it {note}"

    def timed(self) -> Iterator[tuple[float, VideoFrame]]:
        """Yield decoded frames and their times from 0, never decreasing; ``problem`` then says why they end."""
        if self.recorded:
            yield from self.clock.timed(self._stamps())
            self.problem = self.problem or self.clock.jumps.problem
        else:
            yield from self._as_they_come()

    def _as_they_come(self) -> Iterator[tuple[float, VideoFrame]]:
        """Give frames of a live source at once; its clock may not jump."""
        begun, seconds = None, 0.0
        for stamp in self._stamps():
            now = stamp.seconds if self.has_times else time.monotonic()
            if now is not None:
                begun = now if begun is None else begun
                step = now - begun - seconds
                if not -LONGEST_STEP_BACK <= step <= LONGEST_GAP:
                    self.problem = self.problem or f"its clock jumps by {step:.3f} s"
                    return
                seconds = max(seconds, now - begun)
            yield seconds, stamp.frame

    def _stamps(self) -> Iterator[Stamp[VideoFrame]]:
        """Yield what can be decoded, in the decoder's order; broken packets are left out."""
        av = need("av", why="to read live video")
        packets, broken = packets_of(self.container, self.stream), 0
        while broken < MOST_BROKEN and not self.stopped.is_set():
            try:
                packet = next(packets, None)
            except av.error.ExitError:
                self.problem = f"nothing has come for {self.timeout_seconds:g} s"
                break
            except av.error.FFmpegError as error:
                self.problem = error.strerror
                break
            except OSError as error:  # of our own reading, see same_host
                self.problem = str(error)
                break
            if packet is None:
                return
            if not packet.size and packet.pts is not None:
                continue  # to the decoder an empty packet is the end
            try:
                frames, broken = packet.decode(), 0
            except av.error.FFmpegError:
                frames, broken = [], broken + 1
            else:
                self.clock.sent(packet)
            yield from map(self.clock.stamp, frames)
        if broken >= MOST_BROKEN:
            self.problem = f"{broken} packets in a row could not be decoded"
        yield from map(self.clock.stamp, held_frames(self.stream))


def open_container(
    address: Address, follow: bool, timeout_seconds: float, options: dict[str, str], same_host: bool = False
) -> InputContainer:
    """Open a source; the caller closes it. URLs lead to the network only, files to themselves only.

    Args:
        address: what to open.
        follow: go on reading a file that grows.
        timeout_seconds: how long opening, and then a read, waits for data.
        options: further options of FFmpeg's.
        same_host: follow a web address to its own host and port only.

    Raises:
        MissingDataError: if there is no such file.
        DataError: if it cannot be opened; the message holds no password, and neither does the error it came from.
    """
    av, io_open = need("av", why="to read live video"), None
    url, chosen = address.url, dict(options)
    if address.kind == "file":
        address.check_there()
        url = "file:" + os.path.abspath(url)
        chosen |= {"protocol_whitelist": "file", "format_whitelist": ",".join(CONTAINERS)}
        chosen |= {"follow": "1", "seekable": "0"} if follow else {}  # looking for the end would wait for it
    else:
        chosen = {"fpsprobesize": "0"} | chosen  # the frame rate is not needed: a 10 fps stream starts 2 s earlier
    if address.kind == "url":
        tcp = {"rtsp_transport": "tcp"} if url.lower().startswith("rtsp") else {}  # lost packets smear pictures
        chosen = tcp | chosen | {"protocol_whitelist": PROTOCOLS}
        io_open = opener_for(url, timeout_seconds) if same_host else None
    timeout = (timeout_seconds, timeout_seconds)
    try:
        container: InputContainer = av.open(
            url, format=address.format, options=chosen, timeout=timeout, metadata_errors="replace", io_open=io_open
        )
        return container
    except av.error.ExitError:
        reason = f"no answer for {timeout_seconds:g} s"
    except av.error.FFmpegError as error:
        reason = error.strerror
    except OSError as error:  # of our own reading
        reason = str(error)
    except ValueError:
        reason = f"this build of FFmpeg has no input device {address.format}"
    # raised out here: the errors above name the URL, and would be told along with this one
    remedy = "that it is connected and free" if address.kind == "camera" else "the address, and that a video is there"
    if chosen.get("rtsp_transport") == "tcp":
        remedy += "; if it sends by UDP only, set options to {rtsp_transport: udp}"
    raise DataError(f"{address} cannot be opened: {reason}.", f"check {remedy}")

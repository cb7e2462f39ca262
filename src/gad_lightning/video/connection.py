"""One connection to a live source: opened, decoded and timed until it ends, breaks or falls silent."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.optional import need
from gad_lightning.video.address import Address
from gad_lightning.video.container import CONTAINERS, first_video, stated_seconds
from gad_lightning.video.decode import LONGEST_GAP, in_time_order, usual_gap

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

    Raises:
        DataError: if there is no video in it.
    """

    def __init__(self, address: Address, container: Any, timeout_seconds: float, stopped: Event) -> None:
        self.address, self.container = address, container
        self.timeout_seconds, self.stopped = timeout_seconds, stopped
        self.stream = first_video(container, address.shown)
        self.stated = stated_seconds(container, self.stream) or None  # live streams may state 0
        self.recorded = address.kind == "file" or self.stated is not None
        self.has_times = self.recorded or container.format.name not in UNTIMED
        self.seconds = 0.0
        self.problem: str | None = None

    def __str__(self) -> str:
        context = self.stream.codec_context
        times = "" if self.has_times else ", timed by arrival"
        kind = "recording" if self.recorded else "live"
        return f"{kind}, {context.name} {context.width}x{context.height}{times}"

    @property
    def is_complete(self) -> bool:
        """Whether a recording was given to its end."""
        return self.problem is None and self.stated is not None and self.seconds >= 0.95 * self.stated - 1

    def timed(self) -> Iterator[tuple[float, Any]]:
        """Yield decoded frames and their times from 0, never decreasing; ``problem`` then says why they end."""
        if self.recorded:
            yield from in_time_order(self.frames(), usual_gap(self.stream))
            return
        begun = None
        for frame in self.frames():
            if not self.has_times:
                begun = time.monotonic() if begun is None else begun
                self.seconds = time.monotonic() - begun
            yield self.seconds, frame

    def frames(self) -> Iterator[Any]:
        """Yield the decoder's frames in its order."""
        first = None
        for frame in self.decoded():
            if self.has_times and frame.time is not None:
                first = frame.time if first is None else first
                step = frame.time - first - self.seconds
                if not -(LONGEST_GAP if self.recorded else LONGEST_STEP_BACK) <= step <= LONGEST_GAP:
                    self.problem = f"its clock jumps by {step:.3f} s"
                    return
                self.seconds = max(self.seconds, frame.time - first)
            yield frame

    def decoded(self) -> Iterator[Any]:
        """Yield what can be decoded; broken packets are left out."""
        av = need("av", why="to read live video")
        packets, broken = self.container.demux(self.stream), 0
        while broken < MOST_BROKEN and not self.stopped.is_set():
            try:
                packet = next(packets, None)
            except av.error.ExitError:
                self.problem = f"nothing has come for {self.timeout_seconds:g} s"
                break
            except av.error.FFmpegError as error:
                self.problem = error.strerror
                break
            if packet is None:
                return
            try:
                frames, broken = packet.decode(), 0
            except av.error.FFmpegError:
                frames, broken = [], broken + 1
            yield from frames
        if broken >= MOST_BROKEN:
            self.problem = f"{broken} packets in a row could not be decoded"
        yield from self.held_back()

    def held_back(self) -> list[Any]:
        """Frames that the decoder still holds when its source breaks off."""
        av = need("av", why="to read live video")
        try:
            return list(self.stream.codec_context.decode(None))
        except av.error.FFmpegError:
            return []


def open_container(address: Address, follow: bool, timeout_seconds: float, options: dict[str, str]) -> Any:
    """Open a source; the caller closes it. URLs lead to the network only, files to themselves only.

    Raises:
        MissingDataError: if there is no such file.
        DataError: if it cannot be opened; the message holds no password, and neither does the error it came from.
    """
    av = need("av", why="to read live video")
    url, chosen = address.url, dict(options)
    if address.kind == "file":
        if not Path(url).exists():
            raise MissingDataError(f"There is no video {address}.", "check the path; a URL begins like rtsp://")
        url = "file:" + os.path.abspath(url)
        chosen |= {"protocol_whitelist": "file", "format_whitelist": ",".join(CONTAINERS)}
        chosen |= {"follow": "1", "seekable": "0"} if follow else {}  # looking for the end would wait for it
    else:
        chosen = {"fpsprobesize": "0"} | chosen  # the frame rate is not needed: a 10 fps stream starts 2 s earlier
    if address.kind == "url":
        tcp = {"rtsp_transport": "tcp"} if url.lower().startswith("rtsp") else {}  # lost packets smear pictures
        chosen = tcp | chosen | {"protocol_whitelist": PROTOCOLS}
    timeout = (timeout_seconds, timeout_seconds)
    try:
        return av.open(url, format=address.format, options=chosen, timeout=timeout, metadata_errors="replace")
    except av.error.ExitError:
        reason = f"no answer for {timeout_seconds:g} s"
    except av.error.FFmpegError as error:
        reason = error.strerror
    except ValueError:
        reason = f"this build of FFmpeg has no input device {address.format}"
    # raised out here: the errors above name the URL, and would be told along with this one
    remedy = "that it is connected and free" if address.kind == "camera" else "the address, and that a video is there"
    raise DataError(f"{address} cannot be opened: {reason}.", f"check {remedy}")

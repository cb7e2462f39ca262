"""Decodes packets as far as they can be, and says what is lost; packets without a picture are no damage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from gad_lightning.optional import need
from gad_lightning.video.container import packets_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from gad_lightning.video.jumps import Stamp
    from gad_lightning.video.timing import StreamClock

Broken = Literal["keep", "skip", "refuse"]
PLACEHOLDER = 8
"""Bytes up to which a packet that cannot be decoded stands for a picture that was left out when recording."""
PICTURE_STARTS = {"mpeg1video": b"\0\0\1\0", "mpeg2video": b"\0\0\1\0", "mpeg4": b"\0\0\1\xb6"}
"""Bytes with which a picture begins in codecs of start codes."""


def _has_picture(packet: Packet[VideoStream]) -> bool:
    """Whether a packet is long enough and holds anything but messages, headers and delimiters.

    Remuxed television and cameras write packets that hold no slice of a picture (ITU-T H.264 and H.265, 7.4.1 and
    7.4.2; for MPEG-2 and MPEG-4 ISO 13818-2, 6.2 and 14496-2, 6.2). A packet that is no proper row of such units is a
    damaged picture.
    """
    name = packet.stream.codec_context.name
    if packet.size <= PLACEHOLDER:
        return False
    if name in PICTURE_STARTS:
        data = bytes(packet)
        return PICTURE_STARTS[name] in data or not data.startswith(b"\0\0\1")
    if name not in ("h264", "hevc"):
        return True
    first, last = (6, 15) if name == "h264" else (32, 63)
    heads = list(_unit_heads(packet, name == "hevc"))
    kinds = [-1 if head & 128 else head >> 1 if name == "hevc" else head & 31 for head in heads]
    return not all(first <= kind <= last for kind in kinds)


def _unit_heads(packet: Packet[VideoStream], is_hevc: bool) -> Iterator[int]:
    """First byte of every NAL unit: behind start codes, or behind lengths where the stream's header says so.

    Where lengths do not add up to the packet, 128 comes last, a byte that begins no unit.
    """
    data, extra = bytes(packet), packet.stream.codec_context.extradata or b""
    if not extra or extra[0] != 1:
        for unit in data.split(b"\0\0\1")[1:]:
            yield unit[0] if unit else 128
        return
    at, size = 0, 1 + (extra[21 if is_hevc else 4] & 3)
    while at + size < len(data):
        yield data[at + size]
        at += size + int.from_bytes(data[at : at + size], "big")
    if at != len(data):
        yield 128


class Decoding:
    """Decodes one stream packet by packet, past what cannot be decoded.

    Args:
        container: opened for reading.
        stream: its pictures.
        clock: reads their times.
        broken: what to do at damage, see :class:`~gad_lightning.VideoFile`.
        decoded: called after every decoded frame.

    Attributes:
        count: frames given so far.
        read_to: byte of the file behind the last packet.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        clock: StreamClock,
        broken: Broken,
        decoded: Callable[[], None],
    ) -> None:
        self.container, self.stream, self.clock, self.broken = container, stream, clock, broken
        self.decoded = decoded
        self.count = self.places = self.read_to = 0
        self.last = 0.0
        self.damage = self.resumed = ""
        self.waiting = False

    @property
    def problem(self) -> str | None:
        """What could not be decoded, or None."""
        more = f" ({self.places} such places)" if self.places > 1 else ""
        return self.damage + self.resumed + more or None

    def stamps(self) -> Iterator[Stamp[VideoFrame]]:
        """Yield what can be decoded, in the decoder's order."""
        av = need("av", why="to read video files")
        packets = packets_of(self.container, self.stream)
        while not (self.damage and self.broken == "refuse"):
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:  # a cut file: the iterator has ended
                yield from self._whole(held_frames(self.stream))
                return self._note(error.strerror)
            if packet is None:
                return
            if not packet.size and packet.pts is not None:
                continue  # to the decoder an empty packet is the end
            self.read_to = max(self.read_to, (packet.pos or 0) + packet.size)
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                if self.count and _has_picture(packet):
                    self._note(error.strerror)
                    self.waiting = self.broken == "keep"
                continue
            self.clock.sent(packet)
            yield from self._whole(frames)

    def _note(self, reason: str) -> None:
        """Keep what was met first, and count."""
        self.places += not self.waiting
        self.damage = self.damage or f"cannot be decoded behind frame {self.count} at {self.last:.3f} s: {reason}"

    def _whole(self, frames: Iterable[VideoFrame]) -> Iterator[Stamp[VideoFrame]]:
        """Leave out frames between damage and the next key frame, if damage is not wanted."""
        for frame in frames:
            self.decoded()
            stamp = self.clock.stamp(frame)
            step = stamp.lasts or self.clock.gap
            self.last = max(self.last, self.last + step * (self.count > 0) if stamp.seconds is None else stamp.seconds)
            if self.waiting and frame.key_frame:
                self.waiting = False
                self.resumed = self.resumed or f"; goes on at {self.last:.3f} s"
            if not self.waiting:
                self.count += 1
                yield stamp


def held_frames(stream: VideoStream) -> list[VideoFrame]:
    """Frames that the decoder still holds when its source breaks off."""
    av = need("av", why="to read video files")
    try:
        frames = stream.codec_context.decode(None)
    except av.error.FFmpegError:
        return []
    for frame in frames:
        frame.time_base = frame.time_base or stream.time_base
    return frames

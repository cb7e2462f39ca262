"""The sound of a video file, taken over into an mp4: copied, or encoded anew where an mp4 cannot hold it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from gad_lightning.escape import escape_terminal
from gad_lightning.optional import need

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

COPIED = frozenset({"aac", "mp3", "opus", "flac"})
"""Sound that browsers play in an mp4."""
HOLDS_HEADERS = ("mp4", "matroska")
"""Containers that keep what begins a stream beside it, as mp4 does."""
RATES = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
"""Samples a second that are kept where sound is encoded anew (ISO 14496-3); others become the first of these."""
GAP = 0.05
"""Seconds of silence from which on it is one; less is a rounded time."""


class Sound:
    """The first stream of sound of a file.

    Args:
        source: opened for reading, at its beginning.
        output: opened for writing, nothing written yet.
        start: time 0 on the clock of ``source``, in seconds.
        path: of the source, for messages.

    Attributes:
        problem: what is missing, after "of the sound"; empty if nothing is.
    """

    def __init__(self, source: InputContainer, output: OutputContainer, start: float, path: Path) -> None:
        self.av = need("av", why="to write video files")
        self.output, self.start, self.path, self.problem = output, start, path, ""
        self.stream: AudioStream | None = next(iter(source.streams.audio), None)
        self.last: int | None = None
        self.ended = 0  # in samples, of what was encoded anew
        if self.stream is None:
            return
        if self.stream.codec_context is None:
            self.problem, self.stream = "nothing is kept: there is no decoder for it", None
            return
        is_kept = any(name in source.format.name for name in HOLDS_HEADERS)
        self.is_copied = is_kept and self.stream.codec_context.codec.canonical_name in COPIED
        if self.is_copied:
            self.target = output.add_stream_from_template(self.stream)
        else:
            context = self.stream.codec_context
            rate = context.sample_rate if context.sample_rate in RATES else RATES[0]
            layout = "mono" if context.layout.nb_channels == 1 else "stereo"
            self.target = output.add_stream("aac", rate=rate)
            self.target.codec_context.layout = layout
        self.packets = self._packets(source, self.stream)
        self.next = next(self.packets, None)

    def write(self, until: float) -> None:
        """Write what sounds before a time, in seconds of the pictures."""
        while self.stream is not None and self.next is not None and self._seconds(self.next) <= until:
            self._write(self.next)
            self.next = next(self.packets, None)

    def close(self) -> None:
        """Write the rest."""
        self.write(float("inf"))
        if self.stream is not None and not self.is_copied:
            self.output.mux(self.target.encode(None))

    def _packets(self, source: InputContainer, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
        """What the file holds of the stream, up to where it is damaged."""
        packets = source.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except (self.av.error.FFmpegError, IndexError):  # a cut file
                return
            if packet is None:
                return
            if packet.size and packet.pts is not None:
                yield packet

    def _seconds(self, packet: Packet[AudioStream]) -> float:
        """When a packet sounds."""
        assert packet.pts is not None, "others are left out"
        return float(packet.pts * packet.time_base) - self.start

    def _placed(self, frame: AudioFrame) -> AudioFrame:
        """Count a frame's time in samples: some clocks tick coarser than the frames that are written are long."""
        rate, at = frame.sample_rate, self.ended
        if frame.pts is not None and frame.time_base is not None:
            at = round((float(frame.pts * frame.time_base) - self.start) * rate)
        begin = at if at - self.ended > GAP * rate else self.ended
        frame.pts, frame.time_base = begin, Fraction(1, rate)
        self.ended = begin + frame.samples
        return frame

    def _write(self, packet: Packet[AudioStream]) -> None:
        """Copy a packet, or decode it and encode that."""
        if not self.is_copied:
            try:
                frames: list[AudioFrame] = packet.decode()
            except self.av.error.FFmpegError as error:
                self.problem = self.problem or escape_terminal(
                    f"a part is left out that cannot be decoded: {error.strerror}"
                )
                return
            for frame in frames:
                self.output.mux(self.target.encode(self._placed(frame)))
            return
        assert packet.pts is not None, "others are left out"
        packet.pts -= round(self.start / packet.time_base)
        packet.dts = packet.pts
        if self.last is None or packet.dts > self.last:  # a clock that jumps back would be refused
            self.last = packet.dts
            packet.stream = self.target
            self.output.mux(packet)

"""Whether a clock comes back is read from the packets of a file."""

from __future__ import annotations

from pathlib import Path

from av.packet import Packet
from av.video.stream import VideoStream

from gad_lightning.video.later_times import LaterTimes
from tests.video.clips import remux, write_clip


def _later(packet: Packet[VideoStream], seconds: float) -> Packet[VideoStream]:
    """Stamp a packet later."""
    assert packet.pts is not None
    packet.pts += round(seconds / packet.time_base)
    return packet


def test_a_clock_comes_back_or_is_that_of_another_recording(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mkv", [index / 10 for index in range(29)], bf="0")
    source = tmp_path / "ahead.mkv"
    remux(whole, source, lambda number, packet: [_later(packet, 600 * (10 <= number < 20))])
    joined = tmp_path / "joined.mkv"
    joined.write_bytes(2 * source.read_bytes())
    times = LaterTimes(joined, 0)
    assert times.comes_back(601.0, margin=1.0, least=0.8)
    assert not times.comes_back(601.5, margin=1.0, least=50.0), "it falls back to 2 s"
    assert not times.comes_back(77.0, margin=1.0, least=0.0), "no packet has this time"
    assert not LaterTimes(whole, 0).comes_back(1.0, margin=1.0, least=0.0)

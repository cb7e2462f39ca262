"""Damage: what is whole is given, before it and behind it; a packet without a picture is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest
from av.packet import Packet
from av.video.stream import VideoStream

from gad_lightning.errors import DataError
from gad_lightning.video.decode import VideoFile
from tests.video.clips import gray, number_of, remux, write_at_rate

H264 = b"\x06\x05\x11" + bytes(range(1, 17)) + b"\x41\x80"
"""A NAL unit with a message (SEI) and no picture; below the same for H.265."""
H265 = b"\x4e\x01" + H264[1:]
WITHOUT_PICTURE = {"h264": [H264, b"\x09\xf0"], "hevc": [H265, b"\x46\x01\x50"]}


def numbers(file: VideoFile) -> list[int]:
    """Frame numbers of a clip's pictures."""
    return [number_of(picture) for _, picture in file]


def problem_of(file: VideoFile) -> str | None:
    """What is missing of a file that has been read."""
    assert file.report is not None
    return file.report.problem


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Clips of 29 frames with a key frame every 10."""
    options = {"g": "10", "bf": "0", "x264-params": "keyint=10:min-keyint=10:scenecut=0"}
    write_at_rate(tmp_path / "h264.mp4", "libx264", **options)
    write_at_rate(tmp_path / "h264.ts", "libx264", **options)
    options = {"x265-params": "keyint=10:min-keyint=10:scenecut=0:bframes=0:open-gop=0:log-level=none"}
    write_at_rate(tmp_path / "hevc.mkv", "libx265", **options)
    return tmp_path


@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mkv"])
@pytest.mark.parametrize("at", [0, 15, 28])
@pytest.mark.parametrize("kind", [0, 1])
def test_a_packet_without_a_picture_is_passed_over(clips: Path, name: str, at: int, kind: int) -> None:
    unit = WITHOUT_PICTURE[name[:4]][kind]

    def insert(number: int, packet: Packet[VideoStream]) -> list[Packet[VideoStream]]:
        assert packet.pts is not None
        tick = round(1 / 25 / packet.time_base)
        extra = av.Packet(len(unit).to_bytes(4, "big") + unit)
        extra.pts = extra.dts = packet.pts
        extra.time_base, extra.is_keyframe = packet.time_base, packet.is_keyframe
        if number >= at:
            packet.pts = packet.dts = packet.pts + tick
        return [extra, packet] if number == at else [packet]

    file = VideoFile(remux(clips / name, clips / f"sei{Path(name).suffix}", insert), broken="refuse")
    assert numbers(file) == list(range(29))
    assert problem_of(file) is None


def damaged(clips: Path, first: int, last: int) -> Path:
    """The H.264 clip with packets that claim to be longer than they are."""
    with av.open(str(clips / "h264.mp4")) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    data = bytearray((clips / "h264.mp4").read_bytes())
    for place in places[first : last + 1]:
        assert place is not None
        data[place : place + 4] = b"\x7f\xff\xff\xff"
    path = clips / "damaged.mp4"
    path.write_bytes(data)
    return path


def test_what_is_whole_is_kept_before_and_behind_the_damage(clips: Path) -> None:
    file = VideoFile(damaged(clips, 14, 14), fps=25)
    assert numbers(file) == [*range(14), 13, 13, 13, 13, 13, 13, *range(20, 29)]
    found = str(problem_of(file))
    assert found.startswith("cannot be decoded behind frame 14 at 0.520 s: ")
    assert found.endswith("; goes on at 0.800 s")


def test_damage_until_the_end_ends_the_video(clips: Path) -> None:
    file = VideoFile(damaged(clips, 14, 28))
    assert numbers(file) == list(range(14))
    assert "goes on" not in str(problem_of(file))


def test_what_is_damaged_is_given_if_asked_and_refused_if_asked(clips: Path) -> None:
    path = damaged(clips, 14, 14)
    assert len(numbers(VideoFile(path, broken="skip"))) == 28
    with pytest.raises(DataError, match=r"(?s)damaged.mp4 cannot be decoded behind frame 14 .*set broken to keep"):
        numbers(VideoFile(path, broken="refuse"))


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_a_stream_that_begins_between_key_frames_begins_at_the_first_one(tmp_path: Path, codec: str) -> None:
    options: dict[str, Any] = {"g": "10", "keyint_min": "10", "lag-in-frames": "0", "auto-alt-ref": "0"}
    write_at_rate(tmp_path / "whole.webm", codec, crf="4", b="1M", deadline="realtime", **options)
    cut = remux(tmp_path / "whole.webm", tmp_path / "cut.webm", lambda number, packet: [packet] if number > 3 else [])
    file = VideoFile(cut, fps=25)
    assert numbers(file)[-19:] == list(range(10, 29))


@pytest.mark.parametrize("codec", ["mpeg4", "libvpx"])
def test_a_placeholder_of_a_left_out_picture_is_passed_over(tmp_path: Path, codec: str) -> None:
    options: dict[str, Any] = {"lag-in-frames": "0", "auto-alt-ref": "0"} if "vp" in codec else {"bf": "0"}
    whole = write_at_rate(tmp_path / "whole.mkv", codec, g="10", **options)

    def insert(number: int, packet: Packet[VideoStream]) -> list[Packet[VideoStream]]:
        extra = av.Packet(b"\x7f" if codec == "mpeg4" else b"\0")
        extra.pts, extra.dts, extra.time_base = packet.pts, packet.dts, packet.time_base
        return [extra, packet] if number == 15 else [packet]

    file = VideoFile(remux(whole, tmp_path / "held.mkv", insert), broken="refuse")
    assert len(numbers(file)) == 29
    assert problem_of(file) is None


def test_user_data_of_mpeg4_loses_no_picture(tmp_path: Path) -> None:
    whole = write_at_rate(tmp_path / "whole.mp4", "mpeg4", g="10", bf="0", q="2")

    def insert(number: int, packet: Packet[VideoStream]) -> list[Packet[VideoStream]]:
        assert packet.pts is not None
        extra = av.Packet(b"\0\0\1\xb2made by a camera")
        extra.pts = extra.dts = packet.pts
        extra.time_base = packet.time_base
        packet.pts = packet.dts = packet.pts + (number >= 15) * round(1 / 25 / packet.time_base)
        return [extra, packet] if number == 15 else [packet]

    file = VideoFile(remux(whole, tmp_path / "more.mp4", insert))
    assert numbers(file) == list(range(29))
    assert problem_of(file) is None


def test_a_cut_file_gives_the_frames_that_the_decoder_holds(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w", container_options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "3", "x264-params": "b-adapt=0", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for index in range(29):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray(index, 64, 64), format="rgb24")))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        end, cut = packets[20].pos, sorted(float(p.pts * p.time_base) for p in packets[:20] if p.pts is not None)
    assert end is not None
    path.write_bytes(path.read_bytes()[:end])
    frames = list(VideoFile(path))
    assert [frame.seconds for frame in frames] == pytest.approx(cut[: len(frames)])
    assert len(frames) == 20

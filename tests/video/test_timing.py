"""Time 0 is the container's start, whatever the format; what is stated goes before what is guessed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet
from av.video.stream import VideoStream

from gad_lightning.video.base import Frame
from gad_lightning.video.container import first_video, open_video
from gad_lightning.video.decode import VideoFile
from gad_lightning.video.timing import StreamClock, at_times
from tests.video.clips import gray, number_of, read_frames, remux, write_at_rate, write_clip, write_with_sound

TENTHS = [index / 10 for index in range(20)]


def numbers(frames: list[Frame]) -> list[int]:
    """Frame numbers of a clip's pictures."""
    return [number_of(frame.picture) for frame in frames]


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "ts", "flv"])
def test_pictures_that_begin_after_the_sound_keep_their_time(tmp_path: Path, ending: str) -> None:
    path = write_with_sound(tmp_path / f"late.{ending}", [1 + time for time in TENTHS], seconds=4)
    file = VideoFile(path, fps=10)
    assert numbers(list(file)) == [0] * 10 + list(range(20))
    assert file.report is not None
    assert file.report.problem is None
    assert "begins 1.000 s before its first picture" in str(file.report.note)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "flv"])
def test_the_silent_start_of_sound_shifts_no_frame(tmp_path: Path, ending: str) -> None:
    file = VideoFile(write_with_sound(tmp_path / f"both.{ending}", TENTHS, seconds=2), fps=10)
    assert numbers(list(file)) == list(range(20))
    assert file.report is not None
    assert file.report[3:] == (None, None)


@pytest.mark.parametrize("shift", [0.0, 0.023, 0.05])
def test_sound_that_begins_by_a_part_of_a_frame_earlier_shifts_no_row(tmp_path: Path, shift: float) -> None:
    times = [2 + shift + time for time in TENTHS]
    path = write_with_sound(tmp_path / "late.mkv", times, seconds=4, codec="pcm_s16le")
    assert numbers(list(read_frames(path, fps=10))) == [0] * 20 + list(range(20))
    assert len(list(read_frames(path, fps=1))) == 4


@pytest.mark.parametrize("ending", ["ts", "mkv"])
def test_a_recording_cut_between_key_frames_keeps_its_time(tmp_path: Path, ending: str) -> None:
    times = [index / 10 for index in range(29)]
    whole = write_clip(tmp_path / "whole.ts", times, bf="0", g="20", sc_threshold="0", keyint_min="20")
    cut = remux(whole, tmp_path / f"cut.{ending}", lambda number, packet: [packet] if number >= 5 else [])
    file = VideoFile(cut, fps=10)
    assert numbers(list(file)) == [20] * 15 + list(range(20, 29))
    assert file.report is not None
    assert file.report.problem == "shows nothing before 1.500 s: there is no key frame before"


@pytest.mark.parametrize("depth", [0, 3, 8, 16])
def test_b_frames_in_avi_come_in_order(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "clip.avi"
    write_at_rate(path, "libx264", bf=str(depth), **{"x264-params": "b-adapt=0"})
    assert numbers(list(read_frames(path, fps=25))) == list(range(29))


@pytest.mark.parametrize(("codec", "ending"), [("libx264", "h264"), ("libx265", "hevc"), ("mpeg2video", "m2v")])
@pytest.mark.parametrize("rate", [Fraction(30), Fraction(50), Fraction(30000, 1001)])
def test_bare_streams_run_at_the_rate_they_state(tmp_path: Path, codec: str, ending: str, rate: Fraction) -> None:
    path = tmp_path / f"bare.{ending}"
    write_at_rate(path, codec, rate, **{"x265-params": "log-level=none"})
    frames = list(read_frames(path))
    assert [frame.seconds for frame in frames] == pytest.approx([index / float(rate) for index in range(29)])


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("lengths", [(5, 1, 8), (2, 6, 1), (3,)])
def test_the_last_picture_lasts_as_long_as_it_states(tmp_path: Path, ending: str, lengths: tuple[int, ...]) -> None:
    """Slides; the second row is one that is shorter than the one before."""
    begins = np.cumsum((0, *lengths[:-1])).tolist()
    path, slides = write_clip(tmp_path / "guessed.mp4", begins, bf="0"), tmp_path / f"slides.{ending}"
    with av.open(str(path)) as old, av.open(str(slides), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet, seconds in zip(old.demux(video=0), lengths, strict=False):
            packet.duration, packet.stream = round(seconds / packet.time_base), stream
            new.mux(packet)
    file = VideoFile(slides, fps=1)
    assert numbers(list(file)) == [index for index, length in enumerate(lengths) for _ in range(length)]
    assert file.report is not None
    assert file.report.problem is None


def test_a_gif_shows_every_picture_as_long_as_it_says(tmp_path: Path) -> None:
    from PIL import Image

    slides = [Image.fromarray(gray(index)) for index in (0, 9, 18)]
    slides[0].save(tmp_path / "a.gif", save_all=True, append_images=slides[1:], duration=[2000, 1000, 4000])
    assert numbers(list(read_frames(tmp_path / "a.gif", fps=1))) == [0, 0, 9, 18, 18, 18, 18]


@pytest.mark.parametrize("rate", [30, 24, 60])
def test_matroska_at_its_own_rate_gives_a_row_a_frame(tmp_path: Path, rate: int) -> None:
    times = [index / rate for index in range(300)]
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for index in range(len(times)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray(index % 29), format="rgb24")))
        container.mux(stream.encode())
    assert len(list(read_frames(path, fps=rate))) == 300


def test_a_clock_tells_what_the_file_states(tmp_path: Path) -> None:
    path = write_with_sound(tmp_path / "late.mp4", [2.0, 2.5], seconds=4)
    with open_video(path) as container:
        clock = StreamClock(container, first_video(container, path))
        assert (clock.start, clock.own_start) == (0.0, 2.0)
        assert clock.stated_end == pytest.approx(2.6, abs=0.1)


def test_shuffled_times_are_sorted_and_pictures_stay(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", TENTHS, bf="0")

    def swap(number: int, packet: Packet[VideoStream]) -> list[Packet[VideoStream]]:
        assert packet.pts is not None
        tenth = round(0.1 / packet.time_base)
        packet.dts = packet.pts - 5 * tenth
        packet.pts += (2, -1, -1)[number % 3] * tenth * (number < 18)
        return [packet]

    frames = list(read_frames(remux(clip, tmp_path / "swapped.mkv", swap)))
    assert numbers(frames) == list(range(20))
    assert [frame.seconds for frame in frames] == sorted(frame.seconds for frame in frames)


def test_times_that_asf_stores_in_the_decoders_order_are_sorted(tmp_path: Path) -> None:
    path = write_at_rate(tmp_path / "clip.asf", "libx264", bf="3", **{"x264-params": "b-adapt=0"})
    assert numbers(list(read_frames(path, fps=25))) == list(range(29))


def test_the_silent_start_of_sound_adds_no_row_to_matroska(tmp_path: Path) -> None:
    path = write_with_sound(tmp_path / "late.mkv", [2 + index / 10 for index in range(20)], seconds=4)
    frames = list(read_frames(path, fps=10))
    assert len(frames) == 40
    assert numbers(frames[-2:]) == [18, 19]


def test_a_rate_that_nobody_states_is_told(tmp_path: Path) -> None:
    for ending, codec, told in (
        ("mjpeg", "mjpeg", "states no rate; 25 pictures a second are taken"),
        ("m2v", "mpeg2video", None),
    ):
        file = VideoFile(write_at_rate(tmp_path / f"bare.{ending}", codec, strict="unofficial"), fps=25)
        assert len(list(file)) == 29
        assert file.report is not None
        assert file.report.note == told


def test_at_times_is_lazy_and_shows_the_last_item_long_enough() -> None:
    assert [item for _, item in at_times([(0.0, "a"), (1.0, "b")], fps=2)] == ["a", "a", "b", "b"]
    assert next(at_times(((float(n), n) for n in range(10**9)), fps=1)) == (0.0, 0)
    assert list(at_times([], fps=1)) == []

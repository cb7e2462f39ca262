"""Clocks that go back or jump, and single times that are off: the time goes on, and somebody is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from av.packet import Packet
from av.video.stream import VideoStream

from gad_lightning.errors import DataError
from gad_lightning.video.decode import VideoFile
from gad_lightning.video.jumps import Jumps, Stamp
from tests.video.clips import number_of, remux, write_at_rate, write_clip

TENTHS = [index / 10 for index in range(29)]


def numbers(file: VideoFile) -> list[int]:
    """Frame numbers of a clip's pictures."""
    return [number_of(picture) for _, picture in file]


def note_of(file: VideoFile) -> str:
    """What was put right in a file that has been read."""
    assert file.report is not None
    assert file.report.problem is None
    return str(file.report.note)


@pytest.mark.parametrize("ending", ["ts", "mpg", "vob", "m2ts", "mkv"])
def test_joined_recordings_run_on(tmp_path: Path, ending: str) -> None:
    codec = "mpeg2video" if ending in ("mpg", "vob") else "libx264"
    parts = [write_at_rate(tmp_path / f"{name}.{ending}", codec, bf="0") for name in ("a", "b")]
    joined = tmp_path / f"joined.{ending}"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    file = VideoFile(joined, fps=25)
    assert numbers(file) == [*range(29), *range(29)]
    assert "has a clock that jumps from 1.120 s to 0.000 s; times go on across it" in note_of(file)


def test_a_recording_joined_to_one_with_a_much_later_clock_runs_on(tmp_path: Path) -> None:
    early = write_clip(tmp_path / "a.ts", TENTHS[:15], bf="0")
    late = write_clip(tmp_path / "b.ts", [5000 + time for time in TENTHS[:15]], bf="0")
    for name, parts in {"on": (early, late), "back": (late, early)}.items():
        (tmp_path / f"{name}.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
        file = VideoFile(tmp_path / f"{name}.ts", fps=10)
        assert numbers(file) == [*range(15), *range(15)]
        assert "has a clock that jumps" in note_of(file)


@pytest.mark.parametrize("ahead", [600, 5, 1.2, 50_000])
@pytest.mark.parametrize("ending", ["ts", "mkv"])
@pytest.mark.parametrize("strays", [{12}, {12, 13}, {5, 12, 20}])
def test_single_times_that_are_off_are_put_between_their_neighbors(
    tmp_path: Path, ending: str, ahead: float, strays: set[int]
) -> None:
    whole = write_clip(tmp_path / "whole.ts", [1000 + time for time in TENTHS], bf="0")

    def stray(number: int, packet: Packet[VideoStream]) -> list[Packet[VideoStream]]:
        assert packet.pts is not None
        packet.pts += round(ahead / packet.time_base) * (number in strays)
        return [packet]

    file = VideoFile(remux(whole, tmp_path / f"stray.{ending}", stray), fps=10)
    assert numbers(file) == list(range(29))
    assert f"has a frame {abs(ahead)}" in note_of(file)


@pytest.mark.parametrize("ahead", [600, 5, 1.5, 9_000])
@pytest.mark.parametrize("ending", ["ts", "mkv", "mp4"])
def test_a_clock_that_jumps_ahead_and_comes_back_fills_no_rows(tmp_path: Path, ending: str, ahead: float) -> None:
    whole = write_clip(tmp_path / "whole.ts", [1000 + time for time in TENTHS], bf="0")

    def stray(number: int, packet: Packet[VideoStream]) -> list[Packet[VideoStream]]:
        assert packet.pts is not None
        packet.pts += round(ahead / packet.time_base) * (5 <= number < 23)
        return [packet]

    file = VideoFile(remux(whole, tmp_path / f"ahead.{ending}", stray), fps=10)
    assert numbers(file) == list(range(29))
    assert note_of(file).startswith("has a clock that jumps from 0.400 s to ")


def test_a_gap_in_a_recording_that_others_are_joined_to_stays_a_gap(tmp_path: Path) -> None:
    times = [*TENTHS[:10], *(20 + time for time in TENTHS[10:])]
    parts = [write_clip(tmp_path / f"{name}.mkv", times, bf="0") for name in ("a", "b")]
    joined = tmp_path / "joined.mkv"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    file = VideoFile(joined, fps=1)
    shown = numbers(file)
    assert shown[:23] == [0, *[9] * 20, 10, 20], "the last picture before the gap stands for it"
    assert "has a clock that jumps from 22.800 s to 0.000 s" in note_of(file)


def times(stated: list[float | None], joined: bool = False, end: float | None = None) -> tuple[list[float], Jumps]:
    """Times that come out for those that go in."""
    jumps = Jumps(joined, 0.1, end)
    found = list(jumps.run([Stamp(seconds, 0.1, number) for number, seconds in enumerate(stated)]))
    assert [stamp.frame for _, stamp in found] == list(range(len(found)))
    return [round(seconds, 3) for seconds, _ in found], jumps


def test_a_gap_between_pictures_stays_where_files_are_not_joined() -> None:
    slides = [0.0, 30.0, 31.0, 90.0]
    found, jumps = times(list(slides))
    assert found == slides
    assert jumps.note is None
    assert times([*slides, 300.0])[1].note == "shows one picture for 210.000 s, from 90.000 s on"


@pytest.mark.parametrize("off", [-600.0, 600.0, 4.0])
def test_a_stray_time_goes_between_its_neighbors_either_way(off: float) -> None:
    steady = [index / 10 for index in range(20)]
    found, jumps = times([seconds + off * (index in (7, 8)) for index, seconds in enumerate(steady)])
    assert found == pytest.approx(steady)
    assert "(2 times)" in str(jumps.note)


def test_a_clock_that_goes_back_for_good_is_continued_in_every_format() -> None:
    found, jumps = times([*(index / 10 for index in range(20)), *(index / 10 for index in range(20))])
    assert found == pytest.approx([index / 10 for index in range(40)])
    assert jumps.note == "has a clock that jumps from 1.900 s to 0.000 s; times go on across it"


def test_a_last_frame_beyond_the_stated_end_is_a_stray() -> None:
    found, jumps = times([0.0, 0.1, 0.2, 600.0], end=0.4)
    assert found == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert "has a frame 599.7" in str(jumps.note)
    assert times([0.0, 0.1, 0.2, 600.0], end=600.1)[0][-1] == 600.0


def test_frames_without_times_follow_each_other() -> None:
    assert times([None, None, None])[0] == [0.0, 0.1, 0.2]


def test_a_small_file_cannot_last_for_days(tmp_path: Path) -> None:
    file = VideoFile(write_clip(tmp_path / "long.mkv", [3000.0 * index for index in range(29)], bf="0"), fps=0.01)
    assert len(list(file)) < 290, "and not 870"
    assert file.report is not None
    assert file.report.problem == "shows still pictures for more than 6 h, until 24000.000 s"
    with pytest.raises(DataError, match=r"long.mkv shows still pictures for more than 6 h"):
        list(VideoFile(tmp_path / "long.mkv", fps=0.01, broken="refuse"))

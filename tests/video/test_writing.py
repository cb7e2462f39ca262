"""Videos written anew: at their times, upright, with their sound, whole or not at all."""

from __future__ import annotations

import resource
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from gad_lightning.errors import DataError, SettingError
from gad_lightning.video import writing
from gad_lightning.video.base import Picture
from gad_lightning.video.decode import VideoFile
from gad_lightning.video.writing import encoder_name, plays_in_browsers, write_video
from tests.video.clips import number_of, write_at_rate, write_clip, write_with_sound

UNEVEN = [0.0, 0.04, 0.3, 0.35, 1.2, 1.24, 2.0]


def test_pictures_keep_their_uneven_times_and_their_order(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", UNEVEN)
    written = write_video(source, tmp_path / "b.mp4")
    frames = list(VideoFile(tmp_path / "b.mp4"))
    assert [frame.seconds for frame in frames] == pytest.approx(UNEVEN, abs=1e-4)
    assert [number_of(frame.picture) for frame in frames] == list(range(len(UNEVEN)))
    assert (written.frames, written.silent, written.problem) == (len(UNEVEN), "", None)


def test_what_is_drawn_is_in_the_file_in_its_colors_and_of_even_size(tmp_path: Path) -> None:
    def draw(seconds: float, picture: Picture) -> Picture:
        shade = np.uint8((200, 60, 40)) if seconds < 1 else np.uint8((40, 60, 200))
        return np.concatenate([picture, np.broadcast_to(shade, (41, picture.shape[1], 3))])

    write_video(write_clip(tmp_path / "a.mp4", UNEVEN), tmp_path / "b.mp4", draw)
    first, *_, last = VideoFile(tmp_path / "b.mp4")
    assert first.picture.shape == (writing.SMALLEST + 40, writing.SMALLEST, 3)
    assert first.picture[-20, 200] == pytest.approx((200, 60, 40), abs=6)
    assert last.picture[-20, 200] == pytest.approx((40, 60, 200), abs=6)


@pytest.mark.slow  # encodes videos
def test_large_pictures_are_made_smaller_and_turned_ones_are_upright(shared: Path, tmp_path: Path) -> None:
    write_video(shared / "data/videos/h264_rotated_90.mov", tmp_path / "b.mp4")
    before, after = (
        next(iter(VideoFile(path))).picture for path in (shared / "data/videos/h264_rotated_90.mov", tmp_path / "b.mp4")
    )
    assert (after.shape[0] > after.shape[1]) == (before.shape[0] > before.shape[1])
    write_video(write_clip(tmp_path / "large.mp4", [0.0, 0.1], (1500, 600)), tmp_path / "c.mp4")
    assert next(iter(VideoFile(tmp_path / "c.mp4"))).picture.shape == (512, 1280, 3)


def test_a_file_is_whole_or_not_there_and_a_full_disk_is_told(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", [step / 25 for step in range(20)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
        with pytest.raises(SettingError, match=r"b\.mp4 cannot be written.*\n.*free space on the disk"):
            write_video(source, tmp_path / "b.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_file_without_pictures_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        sound = container.add_stream("aac", rate=48000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 48000
        container.mux(sound.encode(silence))
        container.mux(sound.encode())
    with pytest.raises(DataError, match="has no video stream"):
        write_video(tmp_path / "a.mp4", tmp_path / "b.mp4")


def test_without_an_encoder_the_error_says_which_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert encoder_name() in writing.ENCODERS
    monkeypatch.setattr(writing, "ENCODERS", {"no_such_encoder": {}})
    with pytest.raises(SettingError, match=r"no encoder of no_such_encoder"):
        encoder_name()


@pytest.mark.slow  # encodes videos
def test_what_browsers_play_is_told_from_what_they_do_not(tmp_path: Path) -> None:
    assert plays_in_browsers(write_clip(tmp_path / "a.mp4", UNEVEN))
    assert plays_in_browsers(write_with_sound(tmp_path / "b.mp4", UNEVEN, 2.0))
    assert plays_in_browsers(write_at_rate(tmp_path / "c.webm", "libvpx"))
    assert not plays_in_browsers(write_clip(tmp_path / "d.mkv", UNEVEN))
    assert not plays_in_browsers(write_at_rate(tmp_path / "e.avi", "mpeg4", Fraction(25)))
    assert not plays_in_browsers(write_at_rate(tmp_path / "f.mp4", "mpeg4", Fraction(25)))

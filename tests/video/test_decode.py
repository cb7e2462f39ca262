"""Decoding: the right picture at the right time, whatever the container says."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.video.base import Frame, Resize
from gad_lightning.video.container import first_video, open_video
from gad_lightning.video.decode import VideoFile, at_times
from tests.video.clips import number_of, read_frames, write_clip

NAMES = [
    "mpeg4_mp3_test.avi",
    "h264_bframes_test.mp4",
    "h264_vfr_1080p_demo_skeleton.mp4",
    "h264_two_video_two_audio_nasa_13013.mp4",
    "h265_video.mp4",
    "av1_video.mkv",
    "h264_10bits.mp4",
    "h264_opus_flipping_a_pancake.mkv",
    "h264_rotated_90.mov",
    "h264_corrupted.mp4",
    "h264_bikes.mp4",
    "h264_aac_bigbuckbunny.mp4",
]


def stated(shared: Path) -> dict[str, Any]:
    """What the manifest says of each video."""
    manifest = json.loads((shared / "data/videos/manifest.json").read_text())
    return {video["file"]: video for video in manifest["videos"]}


def numbers(frames: list[Frame]) -> list[int]:
    """Frame numbers of a clip's pictures."""
    return [number_of(frame.picture) for frame in frames]


def test_the_manifest_lists_these_videos(shared: Path) -> None:
    assert sorted(stated(shared)) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_real_videos_decode_to_the_frames_times_and_colors_of_their_manifest(shared: Path, name: str) -> None:
    """The manifest was read without rotation, which changes no mean; its times count from 0, ours from frame 0."""
    video, file = stated(shared)[name], VideoFile(shared / "data/videos" / name)
    times = []
    for index, (seconds, picture) in enumerate(file):
        times.append(seconds)
        if str(index) in video["mean_rgb"]:
            np.testing.assert_allclose(picture.mean((0, 1)), video["mean_rgb"][str(index)], atol=0.03)
    assert len(times) == video["decoded_frames"]
    base = Fraction(video["time_base"])
    first = min(video["pts_first"])
    assert times[:5] == pytest.approx([float((pts - first) * base) for pts in sorted(video["pts_first"])])
    assert times[-1] == pytest.approx(float((video["pts_last"] - first) * base))
    assert times == sorted(times)
    assert file.report is not None
    assert (file.report.problem is None) == (video["decode_error"] is None)


def test_rotation_is_applied(shared: Path) -> None:
    path = shared / "data/videos/h264_rotated_90.mov"
    with open_video(path) as container:
        lying = next(container.decode(first_video(container, path))).to_ndarray(format="rgb24")
    upright = next(read_frames(path)).picture
    assert upright.shape == (568, 320, 3)
    assert (upright == np.rot90(lying, -1)).all()


def test_shuffled_times_are_sorted_and_pictures_stay(shared: Path) -> None:
    times = [seconds for seconds, _ in read_frames(shared / "data/videos/mpeg4_mp3_test.avi")]
    assert times == pytest.approx([index / 25 for index in range(164)])


@pytest.mark.parametrize(("broken", "frames"), [("keep", 28), ("skip", 49)])
def test_a_corrupted_video_gives_what_is_there(shared: Path, broken: Any, frames: int) -> None:
    file = VideoFile(shared / "data/videos/h264_corrupted.mp4", broken=broken)
    assert len(list(file)) == frames
    assert file.report is not None
    assert file.report.frames == frames
    assert "behind frame 28 at 2.700 s" in str(file.report.problem)


def test_a_corrupted_video_is_refused_if_asked(shared: Path) -> None:
    path = shared / "data/videos/h264_corrupted.mp4"
    with pytest.raises(DataError, match=r"(?s)corrupted.mp4 cannot be decoded behind frame 28 .*set broken to keep"):
        list(read_frames(path, broken="refuse"))


@pytest.mark.parametrize(
    ("times", "fps", "expected"),
    [
        pytest.param([0, 0.25, 0.5, 0.75], 4, [0, 1, 2, 3], id="its own rate"),
        pytest.param([0, 0.25, 0.5, 0.75], 2, [0, 2], id="half of it"),
        pytest.param([0, 0.5], 4, [0, 0, 1, 1], id="twice its rate, the last frame as long as the one before"),
        pytest.param([0, 0.1, 0.2, 1.0, 1.1], 4, [0, 2, 2, 2, 3], id="a gap shows the frame before it"),
        pytest.param([0, 0.25, 0.5, 2.0], 4, [0, 1, 2, 2, 2, 2, 2, 2, 3], id="a last frame after a gap lasts no gap"),
        pytest.param([5, 5.25, 5.5], 4, [0, 1, 2], id="times count from the first frame"),
        pytest.param([0, 0.033, 0.067, 0.1, 0.133, 0.167], 30, [0, 1, 2, 3, 4, 5], id="milliseconds are rounded"),
        pytest.param([0.0], 4, [0], id="a single frame"),
    ],
)
def test_frames_are_sampled_by_presentation_time(
    tmp_path: Path, times: list[float], fps: float, expected: list[int]
) -> None:
    frames = list(read_frames(write_clip(tmp_path / "clip.mkv", times), fps))
    assert numbers(frames) == expected
    assert [frame.seconds for frame in frames] == pytest.approx([index / fps for index in range(len(expected))])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts"])
def test_b_frames_come_in_order_from_every_container(tmp_path: Path, suffix: str) -> None:
    path = write_clip(tmp_path / f"clip{suffix}", [index / 25 for index in range(25)], bf="3")
    frames = list(read_frames(path, fps=25))
    assert numbers(frames) == list(range(25))


def test_a_stream_without_times_goes_by_its_rate(tmp_path: Path) -> None:
    frames = list(read_frames(write_clip(tmp_path / "clip.h264", [index / 25 for index in range(10)], bf="0"), fps=25))
    assert numbers(frames)[:9] == list(range(9))


def test_at_times_is_lazy_and_shows_the_last_item_long_enough() -> None:
    assert [item for _, item in at_times([(0.0, "a"), (1.0, "b")], fps=2)] == ["a", "a", "b", "b"]
    assert next(at_times(((float(n), n) for n in range(10**9)), fps=1)) == (0.0, 0)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])  # the mp4 has its index in front
def test_a_truncated_file_says_how_much_is_there(tmp_path: Path, suffix: str) -> None:
    times = [index / 5 for index in range(29)]
    whole = write_clip(tmp_path / f"whole{suffix}", times, size=(640, 480), g="1", bf="0")
    cut = tmp_path / f"cut{suffix}"
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) * 2 // 3])
    file = VideoFile(cut)
    kept = numbers(list(file))
    assert kept == list(range(len(kept)))
    assert 3 < len(kept) < 24
    assert file.report is not None
    assert file.report.problem
    assert file.report.seconds == pytest.approx((len(kept) - 1) / 5)
    assert file.report.stated_seconds == pytest.approx(5.8, abs=0.2)
    with pytest.raises(DataError, match=f"cut{suffix}"):
        list(read_frames(cut, broken="refuse"))


def test_a_clock_that_jumps_by_hours_is_broken(tmp_path: Path) -> None:
    file = VideoFile(write_clip(tmp_path / "jump.mkv", [0, 0.2, 0.4, 5000, 5000.2], bf="0"), fps=5)
    assert numbers(list(file)) == [0, 1, 2]
    assert file.report is not None
    assert "a clock that jumps from 0.400 s to 5000.000 s" in str(file.report.problem)


def test_a_truncated_mp4_without_its_index_is_refused(tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(write_clip(tmp_path / "whole.mov", [0, 1, 2]).read_bytes()[:-900])
    with pytest.raises(DataError, match=r"(?s)cut.mp4 .*check that the file is"):
        list(read_frames(cut))


def test_missing_empty_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"There is no video .*nothing.mp4"):
        next(read_frames(tmp_path / "nothing.mp4"))
    with pytest.raises(DataError, match="is not a file"):
        next(read_frames(tmp_path))
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello " * 1000)
    for name in ("empty.mp4", "text.mp4"):
        with pytest.raises(DataError, match=f"{name} cannot be opened as a video"):
            next(read_frames(tmp_path / name))


def test_fps_must_be_positive(tmp_path: Path) -> None:
    for fps in (0, float("inf"), float("nan")):
        with pytest.raises(SettingError, match=f"fps must be above 0, got {fps}"):
            next(read_frames(tmp_path / "clip.mp4", fps=fps))


@pytest.mark.parametrize("path", ["x" * 5000, "a\0b"])
def test_a_path_that_no_file_can_have_is_missing(path: str) -> None:
    with pytest.raises(MissingDataError, match="There is no video"):
        next(read_frames(path))


@pytest.mark.parametrize(
    ("resize", "shape"),
    [
        (Resize(20, "squash"), (20, 20, 3)),
        (Resize(20, "pad"), (20, 20, 3)),
        (Resize(20, "shorter"), (20, 40, 3)),
        (Resize(200, "shorter"), (32, 64, 3)),
    ],
)
def test_pictures_are_resized(tmp_path: Path, resize: Resize, shape: tuple[int, ...]) -> None:
    path = write_clip(tmp_path / "wide.mp4", [0, 0.1], size=(64, 32))
    picture = list(read_frames(path, resize=resize))[1].picture
    assert picture.shape == shape
    if resize.mode == "pad":
        assert picture[:5].max() == picture[-5:].max() == 0
        assert number_of(picture[6:-6]) == 1


@pytest.mark.parametrize("name", [name for name in NAMES if "h265" not in name])
def test_shrunk_pictures_are_those_of_a_box_filter(shared: Path, name: str) -> None:
    path = shared / "data/videos" / name
    whole = next(read_frames(path)).picture
    expected = np.asarray(Image.fromarray(whole).resize((96, 96), Image.Resampling.BOX)).astype(float)
    shrunk = next(read_frames(path, resize=Resize(96))).picture.astype(float)
    assert np.abs(shrunk.mean((0, 1)) - expected.mean((0, 1))).max() < 1
    assert np.abs(shrunk - expected).mean() < 8  # colored edges blur: colors are stored at half the size

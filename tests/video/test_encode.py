"""Encoding: every video once, whatever breaks, stops or kills it on the way."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.video.base import Picture
from gad_lightning.video.encode import REPORT, Settings, encode_video, encode_videos
from gad_lightning.video.encoders import Encoder, SmallEncoder
from gad_lightning.video.encoding.report import read_report
from gad_lightning.video.features.feature_file import FeatureFile
from tests.video.clips import write_clip

LENGTHS = {"long": 29, "middle": 20, "short": 1, "tail": 11}
SETTINGS = Settings(fps=5.0, batch_size=8)


class Brightness(Encoder):
    """Two tokens a frame: the mean of the picture as decoded, and of the prepared one. Refuses to see what is dark."""

    name, revision, width, tokens_per_frame = "brightness", "1", 1, 2

    def __init__(self, darkest: float = 0.0, dark: float = float("nan"), pause: float = 0.0) -> None:
        super().__init__()
        self.darkest, self.dark, self.pause = darkest, dark, pause

    def prepare(self, picture: Picture) -> Picture:
        """Mark one pixel, to be seen by forward."""
        marked = picture[:16, :16].copy()
        marked[0, 0] = 255
        return marked

    def forward(self, pictures: Tensor) -> Tensor:
        """Mean and marked pixel: (B, 2, 1)."""
        time.sleep(self.pause)
        means = pictures[:, 1:].float().mean((1, 2, 3))
        means = torch.where(means < self.darkest, self.dark, means)
        return torch.stack([means, pictures[:, 0, 0, 0].float()], 1).unsqueeze(2)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Four clips at 5 frames a second; frame i has brightness 16 + 8 i."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for name, length in LENGTHS.items():
        write_clip(folder / f"{name}.mp4", [index / 5 for index in range(length)])
    return folder


def means(path: Path) -> list[int]:
    """Frame numbers seen by Brightness."""
    rows = FeatureFile(path).rows(slice(None))
    assert (rows[:, 1] == 255).all()
    return np.rint((rows[:, 0, 0] - 16) / 8).astype(int).tolist()


def states(output: Path) -> dict[str, str]:
    """What the report says became of each video."""
    report = json.loads((output / REPORT).read_text())
    return {name: outcome["state"] for name, outcome in report["videos"].items()}


@pytest.mark.parametrize("workers", [0, 1])
def test_every_video_gets_its_own_features_though_batches_mix_them(videos: Path, tmp_path: Path, workers: int) -> None:
    output = tmp_path / "features"
    complete: dict[str, int] = {}
    report = encode_videos(
        videos,
        output,
        Brightness(),
        SETTINGS._replace(workers=workers),
        finished=lambda path: complete.update({path.stem: len(np.load(path))}),
    )
    assert complete == LENGTHS, "told of each file once it is whole"
    assert {name: means(output / f"{name}.npy") for name in LENGTHS} == {
        name: list(range(length)) for name, length in LENGTHS.items()
    }
    assert {name: outcome.frames for name, outcome in report.videos.items()} == LENGTHS
    assert states(output) == dict.fromkeys(LENGTHS, "encoded")
    assert FeatureFile(output / "long.npy").spec == Brightness().feature_spec(5.0)
    assert sorted(path.name for path in output.iterdir()) == sorted(
        [*(f"{name}.npy" for name in LENGTHS), REPORT, "features.json"]
    )


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_encoding_in_memory_gives_the_numbers_of_the_file(videos: Path, tmp_path: Path, dtype: Any) -> None:
    encode_videos([videos / "long.mp4"], tmp_path / "out", SmallEncoder(), Settings(fps=3.0, dtype=dtype))
    stored = np.load(tmp_path / "out/long.npy")
    assert stored.dtype == dtype
    assert stored.shape == (18, 1, 96)
    here = encode_video(videos / "long.mp4", SmallEncoder(), 3.0, dtype)
    np.testing.assert_array_equal(here, stored.astype(np.float32))


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_videos_stop_nothing_and_are_explained(videos: Path, tmp_path: Path, workers: int) -> None:
    (videos / "empty.mp4").touch()
    (videos / "list.mp4").write_text("ffconcat version 1.0\nfile long.mp4\n")
    (videos / "notes.md").write_text("no video")
    encode_videos(videos, tmp_path / "out", SmallEncoder(), SETTINGS._replace(workers=workers))
    assert states(tmp_path / "out") == {**dict.fromkeys(LENGTHS, "encoded"), "empty": "broken", "list": "broken"}
    report = json.loads((tmp_path / "out" / REPORT).read_text())
    assert "list.mp4 cannot be opened as a video" in report["videos"]["list"]["problem"]
    assert report["summary"] | {"encoded": 4, "skipped": 0, "broken": 2} == report["summary"]


def test_a_damaged_video_is_kept_or_refused(shared: Path, tmp_path: Path) -> None:
    video = [shared / "data/videos/h264_corrupted.mp4"]
    report = encode_videos(video, tmp_path / "keep", SmallEncoder(), Settings(fps=10.0))
    assert report.videos["h264_corrupted"][:2] == ("encoded", 28)
    assert "behind frame 28" in str(report.videos["h264_corrupted"].problem)
    report = encode_videos(video, tmp_path / "refuse", SmallEncoder(), Settings(fps=10.0, broken="refuse"))
    assert report.videos["h264_corrupted"].state == "broken"
    assert not list((tmp_path / "refuse").glob("*.npy"))
    assert not list((tmp_path / "refuse").glob(".*.part"))


def test_a_second_run_encodes_what_is_missing_and_remembers_the_rest(
    shared: Path, videos: Path, tmp_path: Path
) -> None:
    shutil.copy(shared / "data/videos/h264_corrupted.mp4", videos / "damaged.mp4")
    encode_videos(videos, tmp_path, SmallEncoder(), SETTINGS)
    before = (tmp_path / "long.npy").stat().st_mtime_ns
    (tmp_path / "tail.npy").unlink()
    report = encode_videos(videos, tmp_path, SmallEncoder(), SETTINGS)
    assert states(tmp_path) == {**dict.fromkeys([*LENGTHS, "damaged"], "skipped"), "tail": "encoded"}
    assert "behind frame 28" in str(report.videos["damaged"].problem)
    assert (tmp_path / "long.npy").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("encoder", "settings", "words"),
    [
        (SmallEncoder(), SETTINGS._replace(fps=4.0), "with fps 5.0; these would have 4.0"),
        (SmallEncoder(), SETTINGS._replace(dtype="float32"), "with dtype 'float16'; these would have 'float32'"),
        (SmallEncoder(seed=1), SETTINGS, "with encoder 'small'; these would have 'small-seed1'"),
    ],
)
def test_features_of_another_kind_are_not_mixed_in(
    videos: Path, tmp_path: Path, encoder: Encoder, settings: Settings, words: str
) -> None:
    encode_videos([videos / "short.mp4"], tmp_path / "out", SmallEncoder(), SETTINGS)
    with pytest.raises(DataError, match=f"out holds features {words}"):
        encode_videos([videos / "tail.mp4"], tmp_path / "out", encoder, settings)
    assert not (tmp_path / "out/tail.npy").exists()


def test_a_folder_of_unknown_features_is_refused(videos: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "other.npy", np.zeros((3, 96)))
    with pytest.raises(DataError, match=r"holds other.npy and no features.json"):
        encode_videos(videos, tmp_path, SmallEncoder(), SETTINGS)


def test_numbers_that_the_file_cannot_hold_break_that_video_only(videos: Path, tmp_path: Path) -> None:
    for value, name in ((float("nan"), "nan"), (1e6, "large")):
        report = encode_videos(videos, tmp_path / name, Brightness(darkest=20, dark=value), SETTINGS)
        assert set(report.names("broken")) == set(LENGTHS)  # frame 0 of each is dark
        assert "not finite in float16" in str(report.videos["long"].problem)
        with pytest.raises(DataError, match="not finite in float16"):
            encode_video(videos / "long.mp4", Brightness(darkest=20, dark=value), SETTINGS.fps)
    report = encode_videos(videos, tmp_path / "wide", Brightness(20, 1e6), SETTINGS._replace(dtype="float32"))
    assert set(report.names("encoded")) == set(LENGTHS)


def test_lists_names_and_nothing_at_all(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# two of four\nvideos/long.mp4\n\nvideos/tail.mp4\n")
    assert set(encode_videos(tmp_path / "list.txt", tmp_path / "out", SmallEncoder(), SETTINGS).videos) == {
        "long",
        "tail",
    }
    assert set(encode_videos(videos / "short.mp4", tmp_path / "out", SmallEncoder(), SETTINGS).videos) == {"short"}
    write_clip(videos / "long.mkv", [0, 1])
    with pytest.raises(DataError, match=r"(?s)long.mkv and .*long.mp4 would both become long.npy"):
        encode_videos(videos, tmp_path / "out", SmallEncoder())
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingDataError, match=r"no video in .*empty"):
        encode_videos(tmp_path / "empty", tmp_path / "out", SmallEncoder())
    with pytest.raises(MissingDataError, match=r"There is no .*gone"):
        encode_videos(tmp_path / "gone", tmp_path / "out", SmallEncoder())
    with pytest.raises(MissingDataError, match=r"There is no video .*gone.mp4"):
        encode_video(tmp_path / "gone.mp4", SmallEncoder(), 4.0)
    with pytest.raises(SettingError, match=r"list.txt.* cannot be made"):
        encode_videos(videos / "short.mp4", tmp_path / "list.txt", SmallEncoder())


def test_parts_share_the_videos_and_the_report(videos: Path, tmp_path: Path) -> None:
    parts = [encode_videos(videos, tmp_path, SmallEncoder(), SETTINGS, shard=(part, 3)) for part in range(3)]
    assert sorted(name for part in parts for name in part.videos) == sorted(LENGTHS)
    assert states(tmp_path) == dict.fromkeys(LENGTHS, "encoded")


def encode_slowly(videos: Path, output: Path) -> None:
    """Encode at a pace at which a test can interrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite that runs in the background ignores it
    encode_videos(videos, output, Brightness(pause=0.1), Settings(fps=5.0, batch_size=1))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_leaves_whole_files_and_is_resumed(videos: Path, tmp_path: Path, number: int) -> None:
    output = tmp_path / "out"
    process = multiprocessing.get_context("spawn").Process(target=encode_slowly, args=(videos, output))
    process.start()
    assert process.pid is not None
    wait_for(lambda: len(list(output.glob("*.npy"))) == 2)
    os.kill(process.pid, number)
    process.join(60)
    finished = {path: path.read_bytes() for path in output.glob("*.npy")}
    assert 2 <= len(finished) < 4
    assert number == signal.SIGKILL or (not list(output.glob(".*.part")) and states(output))
    encode_videos(videos, output, Brightness(), SETTINGS)
    assert {name: means(output / f"{name}.npy") for name in LENGTHS} == {n: list(range(k)) for n, k in LENGTHS.items()}
    assert all(path.read_bytes() == data for path, data in finished.items())
    assert not list(output.glob(".*.part"))


def wait_for(condition: Any, patience: float = 60.0) -> None:
    """Wait until ``condition()`` holds."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def test_a_report_keeps_what_is_known_of_other_videos(videos: Path, tmp_path: Path) -> None:
    encode_videos([videos / "long.mp4", videos / "tail.mp4"], tmp_path, SmallEncoder(), SETTINGS)
    assert set(encode_videos(videos / "short.mp4", tmp_path, SmallEncoder(), SETTINGS).videos) == {"short"}
    kept = read_report(tmp_path / REPORT)
    assert {name: one.state for name, one in kept.videos.items()} == {
        "long": "skipped",
        "tail": "skipped",
        "short": "encoded",
    }

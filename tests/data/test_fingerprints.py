"""What was changed between stop and resume is told."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gad_lightning.data.own import OwnVideos
from gad_lightning.video.kitchen.synthetic import write_video
from tests.data.own_folder import SEGMENTS, own, write_own


def stored(root: Path) -> dict[str, Any]:
    """What a checkpoint would hold of the folder."""
    return own(root).state_dict()


def test_the_same_data_elsewhere_is_no_change(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    before, elsewhere = stored(write_own_at(tmp_path / "here")), write_own_at(tmp_path / "there")
    own(elsewhere).load_state_dict(before)
    own(elsewhere).load_state_dict({"held_out": []})  # a checkpoint of an earlier version
    assert not [found for found in recwarn if "changed" in str(found.message)]


def write_own_at(folder: Path) -> Path:
    """Own videos in a new folder."""
    folder.mkdir()
    return write_own(folder)


def test_edited_labels_replaced_features_and_other_videos_are_told(tmp_path: Path) -> None:
    root = write_own(tmp_path)
    before = stored(root)
    (root / "segments.csv").write_text(SEGMENTS.replace("a,1.0,2.0", "a,1.0,2.5"))
    np.save(root / "features" / "b.npy", np.load(root / "features" / "b.npy") + 1)
    with pytest.warns(UserWarning, match="the labels of 1 videos, first 'a'; the features of 1 videos, first 'b'"):
        own(root).load_state_dict(before)
    (root / "videos.csv").write_text((root / "videos.csv").read_text().replace("b,train", "b,test"))
    with pytest.warns(UserWarning, match="1 videos are gone, first 'b'"):
        own(root).load_state_dict(before)


def write_noise(video: Path, seed: int) -> None:
    """Write two seconds of noise."""
    pictures = np.random.default_rng(seed).integers(0, 255, (16, 32, 32, 3), dtype=np.uint8)
    write_video(video, iter(pictures), fps=8)


def test_features_of_a_video_that_was_replaced_are_made_again(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    (tmp_path / "videos").mkdir()
    video = tmp_path / "videos" / "a.mp4"
    write_noise(video, 0)
    (tmp_path / "segments.csv").write_text("video,start,end,label\na,0.5,1.5,stir\n")
    first = OwnVideos(tmp_path).records("train")[0].frames.rows(slice(None))
    os.utime(video, (time.time() + 10,) * 2)
    assert np.array_equal(OwnVideos(tmp_path).records("train")[0].frames.rows(slice(None)), first)
    write_noise(video, 1)
    os.utime(video, (1, 1))  # older than its features
    second = OwnVideos(tmp_path).records("train")[0].frames.rows(slice(None))
    assert second.shape == first.shape
    assert not np.array_equal(second, first)
    assert not [found for found in recwarn if "newer" in str(found.message)]


def test_a_video_that_is_newer_than_features_of_which_nothing_is_known_is_told(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    write_noise(tmp_path / "videos" / "a.mp4", 0)
    (tmp_path / "segments.csv").write_text("video,start,end,label\na,0.5,1.5,stir\n")
    OwnVideos(tmp_path).records("train")
    next((tmp_path / "encoded").rglob("encode_report.json")).unlink()
    os.utime(tmp_path / "videos" / "a.mp4", (time.time() + 10,) * 2)
    with pytest.warns(UserWarning, match=r"1 videos are newer than their features, first 'a'.*delete .*a\.npy"):
        OwnVideos(tmp_path).records("train")

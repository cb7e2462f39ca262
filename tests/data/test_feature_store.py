"""Own videos are encoded once, by one process, and only those that are needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gad_lightning.data.feature_store import FeatureStore
from gad_lightning.data.own import OwnVideos
from gad_lightning.data.toy import KitchenVideos
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.encoders import SmallEncoder
from gad_lightning.video.features.feature_file import FeatureFile
from gad_lightning.video.features.sidecar import write_sidecar
from gad_lightning.video.kitchen.synthetic import write_video
from tests.video.clips import write_clip


class Counting(SmallEncoder):
    """Writes a line for every picture it encodes, from whatever process."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log = log

    def forward(self, pictures: Tensor) -> Tensor:
        """Count and encode."""
        with self.log.open("a") as file:
            file.write("picture\n" * len(pictures))
        return super().forward(pictures)


def pictures(seed: int) -> Iterator[np.ndarray]:
    return iter(np.random.default_rng(seed).integers(0, 255, (16, 32, 32, 3), dtype=np.uint8))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three videos of 2 s, one for each split."""
    (tmp_path / "videos").mkdir()
    for seed, name in enumerate("abc"):
        write_video(tmp_path / "videos" / f"{name}.mp4", pictures(seed), fps=8)
    (tmp_path / "segments.csv").write_text("video,start,end,label\na,0.5,1.5,stir\nb,0,1,stir\n")
    (tmp_path / "videos.csv").write_text("video,split\na,train\nb,val\nc,test\n")
    return tmp_path


def count(root: Path) -> int:
    log = root / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def own(root: Path, **how: float) -> OwnVideos:
    return OwnVideos(root, encoder=Counting(root / "log"), **how)


def test_videos_are_encoded_once_and_only_those_of_the_split(root: Path) -> None:
    data = own(root)
    data.setup("fit")
    assert data.schema.features[:4] == ("small", 4.0, 96, 1)
    assert count(root) == 16
    assert data.dataset("train").timelines[0].queries.label.tolist() == [0, 0, 1, 1, 1, 1, 0, 0]
    assert not list((root / "encoded").glob("*/c.npy"))
    own(root).setup("fit")
    assert count(root) == 16
    own(root).setup("test")
    assert count(root) == 24


def test_another_rate_gets_a_folder_of_its_own(root: Path) -> None:
    assert own(root, fps=2.0).videos("train")[0].frames.num_frames == 4
    assert own(root, fps=8.0).videos("train")[0].frames.num_frames == 16
    assert len(list((root / "encoded").iterdir())) == 2


def test_of_several_that_ask_at_once_one_encodes(root: Path) -> None:
    """The lock is a file's, so threads with modules of their own meet it as processes do."""
    modules = [own(root) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda data: data.setup("fit"), modules))
    assert count(root) == 16


def test_loader_processes_get_files_and_never_the_encoder(root: Path) -> None:
    dataset = own(root).dataset("train")
    assert all(type(record.frames) is FeatureFile for record in dataset.records)


def test_features_that_are_there_go_before_videos(root: Path) -> None:
    (root / "features").mkdir()
    for name in "ab":
        np.save(root / "features" / f"{name}.npy", np.eye(6, dtype=np.float32))
    write_sidecar(root / "features", FeatureSpec("mine", 4.0, 6))
    data = own(root)
    data.setup("fit")
    assert data.schema.features.encoder == "mine"
    assert count(root) == 0


def test_a_rate_that_contradicts_the_features_is_refused(root: Path) -> None:
    (root / "features").mkdir()
    write_sidecar(root / "features", FeatureSpec("mine", 4.0, 6))
    with pytest.raises(SettingError, match=r"data\.fps is 2, and .*features says its features are at 4 a second"):
        own(root, fps=2.0).setup("fit")


def test_features_without_a_rate_are_refused(root: Path) -> None:
    (root / "features").mkdir()
    np.save(root / "features" / "a.npy", np.eye(6, dtype=np.float32))
    with pytest.raises(SettingError, match=r"how many frames a second .*a\.npy"):
        own(root).setup("fit")


def test_a_video_that_is_nowhere_is_named_with_both_places(root: Path) -> None:
    (root / "videos" / "a.mp4").unlink()
    with pytest.raises(MissingDataError, match=r"'a' has neither .*features/a\.npy nor .*videos/a\.mp4"):
        own(root).setup("fit")


def test_two_files_of_one_name_are_refused(root: Path) -> None:
    (root / "videos" / "a.avi").write_bytes(b"")
    with pytest.raises(DataError, match=r"'a' is the name of .*a\.avi and of .*a\.mp4"):
        own(root).setup("fit")


def test_a_video_that_cannot_be_decoded_is_refused_and_the_others_are_kept(root: Path) -> None:
    (root / "videos.csv").write_text("video,split\na,train\nb,train\nc,test\n")
    (root / "videos" / "b.mp4").write_bytes(b"no video at all")
    with pytest.raises(DataError, match="1 of 2 videos cannot be encoded; b: "):
        own(root).setup("fit")
    assert [path.name for path in (root / "encoded").glob("*/*.npy")] == ["a.npy"]


@pytest.mark.slow
def test_the_kitchen_is_rendered_and_read_like_own_videos(tmp_path: Path) -> None:
    """Renders four videos of 40 s, which takes several seconds."""
    data = KitchenVideos(tmp_path / "kitchen", num_videos=4, batch_size=4, val_fraction=0.3)
    assert data.schema.tasks[0].labels.background == 0
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert batch.frames.shape[2:] == (1, 96)
    again = KitchenVideos(tmp_path / "kitchen", num_videos=4, batch_size=4, val_fraction=0.3)
    assert again.schema == data.schema
    with pytest.raises(SettingError, match="other settings"):
        _ = KitchenVideos(tmp_path / "kitchen", num_videos=5).schema


def test_endings_in_capitals_are_found(root: Path) -> None:
    (root / "videos" / "a.mp4").rename(root / "videos" / "a.MP4")
    assert own(root).videos("train")[0].frames.num_frames == 8


def test_what_is_encoded_needs_its_video_no_more(root: Path) -> None:
    assert len(own(root).videos("train")) == 1
    (root / "videos" / "a.mp4").unlink()
    assert own(root).videos("train")[0].frames.num_frames == 8


@pytest.mark.parametrize("folder", ["videos", "features"])
def test_a_name_in_another_unicode_form_is_found(root: Path, folder: str) -> None:
    stored, written = "ru\u0308hren  2", "r\u00fchren 2"
    if folder == "videos":
        (root / "videos" / "a.mp4").rename(root / "videos" / f"{stored}.mp4")
    else:
        (root / "features").mkdir()
        np.save(root / "features" / f"{stored}.npy", np.zeros((8, 96), dtype=np.float32))
        write_sidecar(root / "features", FeatureSpec(SmallEncoder().label, 4.0, 96))
    for table in ("segments.csv", "videos.csv"):
        text = (root / table).read_text().replace("\na,", f"\n{written},")
        (root / table).write_text(text, encoding="utf-8")
    for _ in range(2):  # encoded, then found
        (record,) = own(root).records("train")
        assert record.name == written
        assert record.frames.num_frames == 8


def cut(root: Path) -> OwnVideos:
    """Own videos of which the one for training is cut."""
    data = write_clip(root / "videos/a.mkv", [index / 5 for index in range(29)], size=(640, 480), g="1", bf="0")
    (root / "videos/a.mp4").unlink()
    data.write_bytes(data.read_bytes()[: data.stat().st_size * 2 // 3])
    return own(root)


def test_a_video_that_was_encoded_in_part_is_named_in_every_run(root: Path) -> None:
    data = cut(root)
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"1 of 1 videos are not whole: a (ends after|cannot be decoded)"):
            data.records("train")
        data = own(root)


def test_a_video_that_is_not_whole_is_refused_if_asked(root: Path) -> None:
    with pytest.warns(UserWarning, match="not whole"):
        cut(root).records("train")
    with pytest.raises(DataError, match=r"(?s)are not whole: a .*set broken to keep"):
        OwnVideos(root, encoder=Counting(root / "log"), broken="refuse").records("train")
    for path in (root / "encoded").glob("*/a.npy"):
        path.unlink()
    with pytest.raises(DataError, match=r"1 of 1 videos cannot be encoded; a: "):
        OwnVideos(root, encoder=Counting(root / "log"), broken="refuse").records("train")


def test_features_whose_times_count_otherwise_are_named(root: Path) -> None:
    own(root).records("train")
    (sidecar,) = (root / "encoded").glob("*/features.json")
    stated = json.loads(sidecar.read_text())
    assert stated.pop("times_from") == "container start"
    sidecar.write_text(json.dumps(stated))
    with pytest.warns(UserWarning, match="whose times count from a video's first picture"):
        own(root).records("train")


def test_a_file_that_is_not_taken_for_a_video_is_named(root: Path) -> None:
    (root / "videos/a.mp4").rename(root / "videos/a.asf")
    with pytest.raises(MissingDataError, match=r"a.asf is not taken: its ending is not one of a video"):
        own(root).records("train")


@pytest.mark.parametrize(("one", "other"), [("a", "a "), ("r\u00fchren", "ru\u0308hren")])
def test_two_feature_files_whose_names_are_read_as_one_are_refused(root: Path, one: str, other: str) -> None:
    (root / "features").mkdir()
    for name in (one, other):
        np.save(root / "features" / f"{name}.npy", np.eye(6, dtype=np.float32))
    write_sidecar(root / "features", FeatureSpec("mine", 4.0, 6))
    store = FeatureStore(root, None, None)
    with pytest.raises(DataError, match="keep one of them") as caught:
        store.open([one])
    shown = (f"{name}.npy" if name.isascii() else f"{name}.npy ({name + '.npy'!a})" for name in (one, other))
    assert all(f"{root / 'features'}/{name}" in str(caught.value) for name in shown)


def test_features_in_two_kinds_are_read_from_the_first_kind(root: Path) -> None:
    (root / "features").mkdir()
    np.save(root / "features" / "a.npy", np.eye(6, dtype=np.float32))
    torch.save(torch.eye(6), root / "features" / "a.pt")
    write_sidecar(root / "features", FeatureSpec("mine", 4.0, 6))
    assert FeatureStore(root, None, None).open(["a"])["a"].path.name == "a.npy"


def test_hidden_files_are_no_videos_and_no_features(root: Path) -> None:
    (root / "features").mkdir()
    for name in ("videos/._a.mp4", "videos/.d.mp4", "features/._a.npy"):
        (root / name).write_bytes(b"")
    assert own(root).store.names == {"a", "b", "c"}


def test_encoded_features_of_a_video_whose_name_was_written_in_another_form_are_not_taken_for_it(root: Path) -> None:
    own(root).records("train")
    (made,) = (root / "encoded").glob("*/a.npy")
    made.with_name("a .npy").write_bytes(made.read_bytes())
    with pytest.raises(DataError, match=r"'a' is the name of .*encoded.*/a \.npy and of .*encoded.*/a\.npy"):
        own(root).records("train")

"""Encoding unit by unit: the features of the plain command, packed or not, from and to object stores."""

from __future__ import annotations

from pathlib import Path

import fsspec
import numpy as np
import pytest

from gad_lightning.data.feature_store import FeatureStore
from gad_lightning.errors import DataError, SettingError
from gad_lightning.tools.encode import main
from gad_lightning.video.features.feature_file import FeatureFile
from tests.jobs.looking import files_of
from tests.video.clips import write_clip


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three clips of 3, 4 and 5 pictures, and a file that is none."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for length in (3, 4, 5):
        write_clip(folder / f"clip{length}.mp4", [index / 5 for index in range(length)])
    (folder / "broken.mp4").write_text("not a video")
    return folder


def encode(videos: Path | str, output: Path | str, unit: int | None = 3, pack: bool = False) -> None:
    """Encode in this process."""
    main(str(videos), str(output), fps=5, workers=0, progress=False, accelerator="cpu", unit=unit, pack=pack)


def test_units_make_the_features_of_the_plain_command(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encode(videos, tmp_path / "plain", unit=None)
    encode(videos, tmp_path / "units", unit=9)  # one batch, as there
    for name in ("clip3.npy", "clip4.npy", "clip5.npy", "features.json"):
        assert (tmp_path / "units" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    assert "1 of 1 units of 4 videos are done, 1 videos broken" in capsys.readouterr().out
    rows = (tmp_path / "units" / "manifest.csv").read_text().splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [
        ["broken", "broken", "0"],
        ["clip3", "done", "3"],
        ["clip4", "done", "4"],
        ["clip5", "done", "5"],
    ]


def test_packed_features_are_read_like_others(videos: Path, tmp_path: Path) -> None:
    encode(videos, tmp_path / "units")
    encode(videos, tmp_path / "own" / "features", pack=True)
    shards = sorted(path.name for path in (tmp_path / "own" / "features").glob("*.safetensors"))
    assert shards == ["shard-000000.safetensors", "shard-000001.safetensors"]
    store = FeatureStore(tmp_path / "own", None, None)
    assert store.names == {"clip3", "clip4", "clip5"}
    for name, file in store.open(sorted(store.names)).items():
        plain = FeatureFile(tmp_path / "units" / f"{name}.npy")
        assert file.spec == plain.spec
        assert np.array_equal(file.rows(slice(None)), plain.rows(slice(None)))
    with pytest.raises(DataError, match="cannot be read as features"):
        _ = FeatureFile(tmp_path / "own" / "features" / shards[0], video="clip5").shape


def test_videos_and_features_may_be_in_object_stores(videos: Path, tmp_path: Path) -> None:
    store = fsspec.filesystem("memory")
    for path in videos.iterdir():
        store.pipe_file(f"/encoding/videos/{path.name}", path.read_bytes())
    encode("memory://encoding/videos", "memory://encoding/features")
    encode(videos, tmp_path / "here")
    at = str(videos).encode()
    for name, content in files_of(tmp_path / "here").items():
        assert store.cat_file(f"/encoding/features/{name}").replace(b"memory://encoding/videos", at) == content
    store.rm("/encoding/features/units/000001.json")
    store.rm("/encoding/features/clip5.npy")
    encode("memory://encoding/videos", "memory://encoding/features")
    assert store.cat_file("/encoding/features/clip5.npy") == (tmp_path / "here" / "clip5.npy").read_bytes()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pack": True}, r"--pack was given without --unit.*\n.*--unit=64"),
        ({"engine": "ray"}, r"--engine was given without --unit"),
        ({"unit": 3, "part": "1/2"}, r"--part=1/2 and --unit=3 both share.*\n.*leave --part out"),
        ({"unit": -1}, r"unit counts videos and must be at least 1, got -1"),
    ],
)
def test_settings_that_do_not_fit_together_are_told(
    videos: Path, tmp_path: Path, given: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        main(str(videos), str(tmp_path / "out"), accelerator="cpu", **given)  # type: ignore[arg-type]  # of several types


def test_where_no_video_can_be_encoded_the_command_fails(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("not a video")
    with pytest.raises(DataError, match=r"None of the 1 videos could be encoded.*\n.*manifest\.csv"):
        encode(tmp_path / "a.mp4", tmp_path / "out")

"""The kitchen: what its scripts promise, and that its files hold what the scripts say."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from gad_lightning.errors import SettingError
from gad_lightning.video.base import Picture
from gad_lightning.video.kitchen.kitchen import KITCHEN_CLASSES, KITCHEN_GOALS, write_scripts
from gad_lightning.video.kitchen.synthetic import Kitchen, _draw_video, render_kitchen, write_video

SMALL = {"num_videos": 4, "fps": 4, "size": 32}


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    """Four small videos."""
    return render_kitchen(tmp_path_factory.mktemp("kitchen"), **SMALL)


def rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV."""
    with path.open() as file:
        return list(csv.DictReader(file))


def test_sugar_and_salt_are_drawn_with_the_same_pixels() -> None:
    script = write_scripts(7, seed=0, fps=2)[3]
    assert "add salt" in [step.name for step in script.steps]
    sweet = script._replace(steps=tuple(s._replace(name=s.name.replace("salt", "sugar")) for s in script.steps))
    pairs = zip(_draw_video(script, 0, 2, 32), _draw_video(sweet, 0, 2, 32), strict=True)
    assert all((one == other).all() for one, other in pairs)


def test_pixels_are_a_function_of_the_seed() -> None:
    def first(seed: int) -> Picture:
        return np.stack(list(islice(_draw_video(write_scripts(4, seed, 8)[0], seed, 8, 64), 40)))

    assert first(1).shape == (40, 64, 64, 3)
    assert (first(1) == first(1)).all()
    assert (first(1) != first(2)).any()


def test_videos_are_h264_and_as_long_as_their_scripts(kitchen: Kitchen) -> None:
    for script in write_scripts(4, seed=0, fps=4):
        with av.open(str(kitchen.videos / f"{script.video}.mp4")) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 32, 32)
            times = [frame.time for frame in container.decode(stream)]
        assert times == pytest.approx([index / 4 for index in range(script.num_frames)])


def test_tables_have_the_columns_and_seconds_of_own_data(kitchen: Kitchen) -> None:
    segments, splits = rows(kitchen.segments), rows(kitchen.splits)
    assert list(segments[0]) == ["video", "start", "end", "label"]
    assert list(splits[0]) == ["video", "split", "goal", "group"]
    assert {row["label"] for row in segments} <= set(KITCHEN_CLASSES[1:])
    assert {row["goal"] for row in splits} <= set(KITCHEN_GOALS)
    for script in write_scripts(4, seed=0, fps=4):
        own = [(float(r["start"]), float(r["end"])) for r in segments if r["video"] == script.video]
        edges = [edge for pair in own for edge in pair]
        assert edges == sorted(edges)
        assert 0 < edges[0] < edges[-1] < script.num_frames / 4


def test_a_second_call_renders_only_what_is_missing(kitchen: Kitchen) -> None:
    kept, lost = kitchen.videos / "kitchen_000.mp4", kitchen.videos / "kitchen_001.mp4"
    before, bytes_before = kept.stat().st_mtime_ns, lost.read_bytes()
    lost.unlink()
    render_kitchen(kitchen.videos.parent, **SMALL)
    assert kept.stat().st_mtime_ns == before
    assert lost.read_bytes() == bytes_before


def test_a_folder_of_another_kitchen_is_refused(kitchen: Kitchen) -> None:
    with pytest.raises(SettingError, match=r"(?s)holds a kitchen of other settings.*'seed': 5.*another folder"):
        render_kitchen(kitchen.videos.parent, **SMALL, seed=5)


def test_too_few_videos_and_odd_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="num_videos >= 4"):
        render_kitchen(tmp_path, num_videos=3)
    with pytest.raises(SettingError, match="even size >= 32"):
        render_kitchen(tmp_path, size=97)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(SettingError, match=r"taken.*cannot be made"):
        render_kitchen(tmp_path / "taken", **SMALL)


def test_ctrl_c_leaves_no_half_video(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Picture]:
        yield np.zeros((32, 32, 3), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "video.mp4", interrupted(), fps=8)
    assert not list(tmp_path.iterdir())

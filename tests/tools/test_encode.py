"""The command ``encode``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from jsonargparse import auto_cli

from gad_lightning.errors import DataError, SettingError
from gad_lightning.tools.encode import _read_part, main
from tests.video.clips import write_clip, write_with_sound


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three clips and a file that is none."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for length in (5, 10, 15):
        write_clip(folder / f"clip{length}.mp4", [index / 5 for index in range(length)])
    (folder / "broken.mp4").write_text("not a video")
    return folder


def run(*words: object) -> None:
    """Run the command as the command line does."""
    auto_cli(main, args=[str(word) for word in words])


def lengths(output: Path) -> dict[str, int]:
    """Rows of each feature file."""
    return {path.stem: len(np.load(path)) for path in output.glob("*.npy")}


def test_the_command_line_encodes_a_folder(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(videos, tmp_path / "out", "--fps=5", "--workers=0", "--encoder=SmallEncoder", "--encoder.seed=2")
    assert lengths(tmp_path / "out") == {"clip5": 5, "clip10": 10, "clip15": 15}
    assert json.loads((tmp_path / "out/features.json").read_text())["encoder"] == "small-seed2"
    said = capsys.readouterr().out
    assert "3 encoded, 0 skipped, 1 broken" in said
    assert "broken: broken: " in said
    assert "built-in" not in said
    run(videos, tmp_path / "out", "--fps=5", "--workers=0", "--encoder=SmallEncoder", "--encoder.seed=2")
    assert "0 encoded, 3 skipped, 1 broken" in capsys.readouterr().out


def test_a_video_that_ends_in_damage_is_named(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    times = [index / 5 for index in range(29)]
    whole = write_clip(tmp_path / "clip.mkv", times, size=(640, 480), g="1", bf="0").read_bytes()
    (videos / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    run(videos, tmp_path / "out", "--fps=5", "--workers=0", "--progress=false")
    said = capsys.readouterr().out
    assert "4 encoded" in said
    assert "incomplete: cut: " in said
    assert "note: the built-in encoder knows drawn kitchens only" in said


def test_what_was_put_right_or_left_out_is_named(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = write_with_sound(videos / "late.mp4", [2.0, 2.1, 2.2], seconds=3)
    late.with_name("clip.h264").touch()
    (videos / "moved.mp4").symlink_to("gone.mp4")
    run(videos, tmp_path / "out", "--fps=5", "--workers=0", "--progress=false")
    said = capsys.readouterr().out
    assert "put right: late: begins 2.000 s before its first picture" in said
    assert "left out: clip.h264 (its ending is not one of a video" in said
    assert "left out: moved.mp4 (a link to nothing)" in said
    report = json.loads((tmp_path / "out/encode_report.json").read_text())
    assert list(report["left_out"]) == ["clip.h264", "moved.mp4"]
    assert report["videos"]["late"]["problem"] is None


def test_machines_take_their_parts(videos: Path, tmp_path: Path) -> None:
    for part in ("1/2", "2/2"):
        run(videos, tmp_path / "out", "--workers=0", f"--part={part}", "--progress=false")
    assert set(lengths(tmp_path / "out")) == {"clip5", "clip10", "clip15"}
    assert len(json.loads((tmp_path / "out/encode_report.json").read_text())["videos"]) == 4


@pytest.mark.slow  # starts two processes that import Lightning
def test_several_devices_encode_each_video_once(videos: Path, tmp_path: Path) -> None:
    main(videos, tmp_path / "out", fps=5.0, workers=0, accelerator="cpu", devices=2, progress=False)
    assert lengths(tmp_path / "out") == {"clip5": 5, "clip10": 10, "clip15": 15}
    report = json.loads((tmp_path / "out/encode_report.json").read_text())
    assert (report["summary"]["encoded"], report["summary"]["skipped"], report["summary"]["broken"]) == (3, 0, 1)


def test_a_device_that_is_not_there_is_refused(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="accelerator 'abacus' with devices 1 cannot be used"):
        main(videos, tmp_path / "out", accelerator="abacus", devices=1)


@pytest.mark.parametrize("part", ["0/2", "3/2", "2", "a/b", ""])
def test_a_part_that_is_none_is_refused(part: str) -> None:
    with pytest.raises(SettingError, match="share of the videos such as 2/3"):
        _read_part(part)


def test_settings_out_of_range_are_refused(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"fps must be above 0, got 0\.\n.*--fps"):
        main(videos, tmp_path / "out", fps=0)


def test_nothing_but_broken_videos_is_an_error(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)None of the 1 videos could be encoded.*encode_report.json"):
        main(videos / "broken.mp4", tmp_path / "out", workers=0, progress=False)

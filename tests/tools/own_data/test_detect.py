"""gad-lightning detect: subtitles beside videos, annotations to correct, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gad_lightning.classifiers.base import Classifier
from gad_lightning.cli import main
from gad_lightning.data.formats.base import Rules
from gad_lightning.data.formats.registry import read_annotations
from gad_lightning.errors import GadError
from tests.streaming.colors import save_colors
from tests.video.serving import write_scenes

SCENES = [("background", 0.8), ("red", 1.2), ("blue", 0.6), ("background", 0.5)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint and a clip."""
    folder = tmp_path_factory.mktemp("detect")
    save_colors(folder / "colors.ckpt")
    write_scenes(folder / "clip.mp4", SCENES)
    return folder


@pytest.fixture
def clip(made: Path, tmp_path: Path) -> Path:
    """The clip, in a folder of its own."""
    (tmp_path / "clip.mp4").write_bytes((made / "clip.mp4").read_bytes())
    return tmp_path / "clip.mp4"


def detect(made: Path, *words: object) -> None:
    """Run the command."""
    main(["detect", *map(str, words), f"--checkpoint={made / 'colors.ckpt'}"])


def test_subtitles_beside_the_video_are_what_detect_finds(made: Path, clip: Path) -> None:
    detect(made, clip)
    segments = Classifier.from_pretrained(made / "colors.ckpt").detect(clip).segments
    found = read_annotations([clip.with_suffix(".vtt")], clip.parent).annotations
    assert segments
    assert [(one.label, one.start, one.end) for one in found] == [
        (one.label, pytest.approx(one.start_seconds, abs=1e-3), pytest.approx(one.end_seconds, abs=1e-3))
        for one in segments
    ]


@pytest.mark.parametrize("name", ["elan", "frames", "label_studio"])
def test_other_formats_are_written_and_hold_the_same_labels(name: str, made: Path, clip: Path) -> None:
    out = clip.parent / "out"
    detect(made, clip, f"--format={name}", f"--output={out}")
    (file,) = out.iterdir()
    if name == "label_studio":
        (task,) = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps([{"data": task["data"], "annotations": task["predictions"]}]), encoding="utf-8")
    found = read_annotations([file], out, Rules(fps=None if name == "label_studio" else 8, videos=clip.parent))
    assert {one.label for one in found.annotations} == {"red", "blue"}
    assert {one.video for one in found.annotations} == {"clip"}


def test_of_a_folder_a_video_that_show_made_is_left_out(
    made: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip.with_name("clip_shown.mp4").write_bytes(b"labels drawn in")
    detect(made, clip.parent)
    assert "left out: clip_shown.mp4, written by gad-lightning show" in capsys.readouterr().out
    assert [path.name for path in clip.parent.glob("*.vtt")] == ["clip.vtt"]


def test_a_broken_video_is_named_and_stops_nothing(made: Path, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clip.parent / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(SystemExit) as left:
        detect(made, clip.parent)
    assert left.value.code == 1
    assert "failed: " in (said := capsys.readouterr().out)
    assert "broken.mp4" in said
    assert clip.with_suffix(".vtt").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format=praat"], "no annotation format 'praat'"),
        (["--min_score=2"], "min_score is a probability, and is 2"),
        (["--task=who"], "There is no task 'who'"),
        ([], r"clip\.vtt is there already.*\n.*--overwrite=true"),
    ],
)
def test_what_cannot_be_is_refused_before_a_video_is_read(
    words: list[str], message: str, made: Path, clip: Path
) -> None:
    clip.with_suffix(".vtt").write_text("WEBVTT\n")
    more = ["--overwrite=true"] if words else []
    with pytest.raises(GadError, match=message):
        detect(made, clip, *words, *more)
    assert clip.with_suffix(".vtt").read_text() == "WEBVTT\n"

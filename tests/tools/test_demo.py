"""The demo, small: real video files in, results, predictions and a picture out."""

from __future__ import annotations

import csv
import json
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from gad_lightning.cli import STOPPED, main, run
from gad_lightning.tools import demo
from gad_lightning.video.kitchen.kitchen import write_scripts

COLUMNS = ("segment_f1", "point_f1", "top1", "frames_per_second", "milliseconds_per_frame_live", "train_seconds")
FPS = 4.0  # of the features


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the small demo leaves behind."""
    output = tmp_path_factory.mktemp("demo")
    main(["demo", f"--output={output}", "--size=small"])
    return output


def test_it_ends_by_the_command_that_shows_it_live(folder: Path) -> None:
    words = shlex.split(demo.serve_command(folder / "gad" / "classifier.ckpt"))
    assert words[-5:-4] == ["serve"]
    assert words[-4:] == ["--ckpt_path", str(folder / "gad" / "classifier.ckpt"), "--open", "true"]
    assert Path(words[-3]).is_file()


def test_results_have_the_six_figures_of_every_classifier(folder: Path) -> None:
    results = json.loads((folder / "results.json").read_text())
    assert list(results) == ["generative", "discriminative", "gad"]
    for row in results.values():
        assert tuple(row) == COLUMNS
        assert all(0 <= row[name] <= 1 for name in COLUMNS[:3])
        assert all(row[name] > 0 for name in COLUMNS[3:])


def test_predictions_label_every_frame_of_the_same_test_videos(folder: Path) -> None:
    asked = []
    for name in demo.NAMES:
        with (folder / name / "frames.csv").open(newline="") as file:
            asked.append([(row["video"], row["frame"], row["truth"]) for row in csv.DictReader(file)])
    assert asked[0]
    assert asked[0] == asked[1] == asked[2]


def test_the_picture_has_a_panel_per_video(folder: Path) -> None:
    with Image.open(folder / "timelines.png") as picture:
        assert picture.width > picture.height > 200


def test_the_videos_are_rendered_once(folder: Path) -> None:
    assert len(list((folder / "kitchen" / "videos").glob("*.mp4"))) == demo.BUDGETS["small"].num_videos


@pytest.mark.parametrize("seed", range(5))
def test_a_video_is_read_in_one_piece(seed: int) -> None:
    scripts = write_scripts(demo.BUDGETS["full"].num_videos, seed, fps=8)
    assert max(script.num_frames for script in scripts) / 8 <= demo.MEMORY / FPS


@pytest.fixture
def ctrl_c_restored() -> Iterator[None]:
    """Lightning makes a process deaf to further Ctrl-C while it shuts down."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_restored")
def test_a_stopped_demo_leaves_whole_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo.DiscriminativeClassifier, "on_train_start", interrupted)
    monkeypatch.setattr(sys, "argv", ["gad-lightning", "demo", f"--output={folder}", "--size=small"])
    with pytest.raises(SystemExit) as stopped:
        run()
    assert stopped.value.code == STOPPED
    assert "finished files are whole" in capsys.readouterr().err
    assert list(json.loads((folder / "results.json").read_text())) == ["generative"]
    assert not list(folder.rglob("*.part"))

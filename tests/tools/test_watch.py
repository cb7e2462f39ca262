"""`gad-lightning watch`: live labels that are those of `detect`, a log that is whole, and no password anywhere."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.cli import main as command
from gad_lightning.decisions.best_path import BestPath
from gad_lightning.decisions.path import Decisions
from gad_lightning.errors import CheckpointError, DataError, MissingDataError, SettingError
from gad_lightning.streaming.screen import Screen
from gad_lightning.streaming.watching import Sighting
from gad_lightning.tools.watch import main
from gad_lightning.video.encoders import SmallEncoder
from tests.decisions.rules import minimum_duration
from tests.streaming.colors import NAMES, OwnHead, save_colors, train_colors
from tests.video.serving import FPS, live_server, write_scenes

SCENES = [("background", 0.8), ("red", 1.2), ("blue", 0.3), ("red", 0.7), ("background", 0.5)]


class SlowEncoder(SmallEncoder):
    """Takes three frames' time for every frame."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Encode late."""
        time.sleep(3 / FPS)
        return super().forward(pictures)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint and a clip."""
    folder = tmp_path_factory.mktemp("watch")
    save_colors(folder / "colors.ckpt")
    write_scenes(folder / "clip.mp4", SCENES)
    write_scenes(folder / "clip.ts", SCENES)
    return folder


def lines_of(log: Path, event: str | None = None) -> list[dict[str, Any]]:
    """Lines of a log; each must be whole."""
    text = log.read_text()
    assert text.endswith("\n")
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if event in (None, line["event"])]


def when(condition: Callable[[], bool], act: Callable[[], None]) -> threading.Thread:
    """Do something in a thread once a condition holds."""

    def wait() -> None:
        while not condition():
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def labels_in(log: Path) -> int:
    """Labels logged so far, while the log grows."""
    return log.read_text().count('"event": "label"') if log.exists() else 0


def test_the_labels_of_a_file_are_those_of_detect(folder: Path, tmp_path: Path) -> None:
    log, clip = tmp_path / "watch.jsonl", folder / "clip.mp4"
    options = [f"--checkpoint={folder / 'colors.ckpt'}", f"--log={log}", "--every_frame=true"]
    command(["watch", str(clip), *options])
    labels = lines_of(log, "label")
    first, last = (datetime.fromisoformat(labels[place]["wall"]) for place in (0, -1))
    assert (last - first).total_seconds() < 3.4, "as fast as it can"
    offline = Classifier.load_from_checkpoint(folder / "colors.ckpt").detect(clip)
    assert [line["label"] for line in labels] == offline.labels
    assert [line["stream"] for line in labels] == pytest.approx(offline.seconds)
    expected = offline.scores.exp()
    assert [line["score"] for line in labels] == pytest.approx(expected.max(1).values.tolist(), abs=1e-5)
    assert [line["entropy"] for line in labels] == pytest.approx(torch.special.entr(expected).sum(1).tolist(), abs=1e-4)
    assert [line["event"] for line in lines_of(log) if line["event"] != "label"] == ["connected", "ended", "closed"]
    assert lines_of(log)[-1]["frames"] == len(offline.labels) == 35


def test_a_file_at_its_own_pace_loses_nothing_to_a_quick_detector(folder: Path, tmp_path: Path) -> None:
    log, clip = tmp_path / "watch.jsonl", folder / "clip.mp4"
    main(str(clip), checkpoint=folder / "colors.ckpt", log=log, min_seconds=0.5)
    offline = Classifier.load_from_checkpoint(folder / "colors.ckpt").detect(clip)
    labels = lines_of(log, "label")
    likeliest = [line["likeliest"] for line in labels]
    by_time = dict(zip(offline.seconds, offline.labels, strict=True))
    assert likeliest == [by_time[line["stream"]] for line in labels]
    assert len(labels) + labels[-1]["drops"] == 35
    numbers = [NAMES.index(label) for label in likeliest]
    assert [NAMES.index(line["label"]) for line in labels] == minimum_duration(numbers, 5)


def test_a_slow_detector_drops_frames_and_stays_in_time(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "watch.jsonl"
    main(str(folder / "clip.mp4"), checkpoint=folder / "colors.ckpt", log=log, encoder=SlowEncoder())
    labels = lines_of(log, "label")
    assert 4 <= len(labels) <= 14
    assert len(labels) + labels[-1]["drops"] == 35
    assert max(line["latency"] for line in labels) < 1.5  # it waits for one frame and its own, never for more
    assert labels[-1]["stream"] == pytest.approx(3.4)
    assert not any(line["restarted"] for line in labels)


def test_a_camera_that_goes_away_is_found_again_and_its_password_is_kept(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log, content = tmp_path / "watch.jsonl", (folder / "clip.ts").read_bytes()
    with live_server(content, seconds=3.5, login="admin:hunter2", goes_on=True) as server:

        def cut() -> None:
            server.kill()
            time.sleep(1.2)
            server.start()
            when(lambda: labels_in(log) > 20, lambda: os.kill(os.getpid(), signal.SIGINT))

        when(lambda: labels_in(log) > 10, cut)
        main(
            f"http://admin:hunter2@127.0.0.1:{server.port}/live?key=hunter2",
            checkpoint=folder / "colors.ckpt",
            log=log,
            gap_seconds=1.0,
            timeout_seconds=5.0,
            wait_seconds=(0.1, 0.2),
        )
    events = [line["event"] for line in lines_of(log)]
    assert [event for event in events if event in ("connected", "closed")] == ["connected", "connected", "closed"]
    assert "lost" in events
    assert events[-1] == "closed"
    labels = lines_of(log, "label")
    assert [line["restarted"] for line in labels].count(True) == lines_of(log)[-1]["restarts"] == 1
    place = [line["restarted"] for line in labels].index(True)
    assert labels[place]["stream"] - labels[place - 1]["stream"] > 1.0
    assert {line["label"] for line in labels} >= {"background"}
    shown = capfd.readouterr()
    assert "http://***@127.0.0.1" in shown.out
    assert "hunter2" not in shown.out + shown.err + log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_with_a_whole_log(number: signal.Signals, folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "watch.jsonl"
    before = signal.getsignal(number)
    when(lambda: labels_in(log) >= 3, lambda: os.kill(os.getpid(), number))
    main(str(folder / "clip.mp4"), checkpoint=folder / "colors.ckpt", log=log)
    lines = lines_of(log)
    assert lines[-1]["event"] == "closed"
    assert 3 <= lines[-1]["frames"] < 35
    assert signal.getsignal(number) == before


def test_a_head_of_ones_own_is_loaded_if_its_package_is_allowed(folder: Path, tmp_path: Path) -> None:
    schema, content = train_colors(steps=0).schema, dict[str, Any]()
    own = GADClassifier(schema=schema, backbone=TinyBackbone(hidden_size=32, num_layers=1), head=OwnHead)
    own.on_save_checkpoint(content)
    torch.save(content, tmp_path / "own.ckpt")
    words = ["watch", str(folder / "clip.mp4"), f"--checkpoint={tmp_path / 'own.ckpt'}", "--every_frame=true"]
    with pytest.raises(CheckpointError, match=r"names tests\..*OwnHead.*\n.*--allowed=\[tests\]"):
        command(words)
    command([*words, "--allowed=[tests]", f"--log={tmp_path / 'own.jsonl'}"])
    assert len(lines_of(tmp_path / "own.jsonl", "label")) == 35


def test_a_smoothing_takes_the_place_of_labels_that_look_ahead(folder: Path, tmp_path: Path) -> None:
    classifier, clip = Classifier.load_from_checkpoint(folder / "colors.ckpt"), str(folder / "clip.mp4")
    task, size = classifier.schema.tasks[0], len(NAMES)
    path = BestPath(1.0, 0.0, [[1] * size] * size)
    classifier.decisions = {task.name: Decisions(task.labels, classifier.schema.features.fps, steady=path)}
    fitted = classifier.save_pretrained(tmp_path / "best_path")
    with pytest.raises(SettingError, match="BestPath chooses labels by a look ahead"):
        main(clip, checkpoint=fitted, every_frame=True)
    logs = [tmp_path / "fitted.jsonl", tmp_path / "plain.jsonl"]
    for checkpoint, log in zip((fitted, folder / "colors.ckpt"), logs, strict=True):
        main(clip, checkpoint=checkpoint, log=log, every_frame=True, min_seconds=0.3)
    one, two = ([line["label"] for line in lines_of(log, "label")] for log in logs)
    assert one == two
    assert "red" in one
    assert not lines_of(logs[0], "alarm")


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"source": "no.mp4"}, MissingDataError, "There is no video no.mp4"),
        ({"checkpoint": Path("no.ckpt")}, MissingDataError, "No checkpoint at no.ckpt"),
        ({"checkpoint": Path(__file__)}, CheckpointError, "test_watch.py is damaged"),
        ({"task": "verbs"}, SettingError, "There is no task 'verbs'; the classifier has color"),
        ({"checkpoint": "http://u:hunter2@127.0.0.1:9/x.ckpt"}, SettingError, r"such as http://\*\*\*@127"),
        ({"device": "http://u:hunter2@127.0.0.1:9"}, SettingError, r"device is 'http://\*\*\*@127"),
        ({"min_seconds": -1.0}, SettingError, "min_seconds must be 0 or more, got -1.0"),
        ({"device": "tpu"}, SettingError, "device is 'tpu'; here are: cpu"),
        ({"encoder": SmallEncoder(seed=1)}, SettingError, "encoder 'small', not 'small-seed1'"),
        ({"hysteresis": (0.2, 0.5)}, SettingError, "leaves at a lower one"),
        ({"gap_seconds": 0.0}, SettingError, "gap_seconds must be at least one frame"),
        ({"source": "http://u:hunter2@127.0.0.1:9/", "every_frame": True}, SettingError, r"http://\*\*\*@.* not wait"),
        ({"source": "http://u:hunter2@127.0.0.1:9/"}, DataError, r"http://\*\*\*@127.0.0.1:9/ cannot be opened"),
    ],
)
def test_what_cannot_work_is_said(
    arguments: dict[str, Any], kind: type[Exception], message: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen: dict[str, Any] = {"source": str(folder / "clip.mp4"), "checkpoint": folder / "colors.ckpt", **arguments}
    with pytest.raises(kind, match=message) as caught:
        main(**chosen)
    shown = capfd.readouterr()
    assert "hunter2" not in str(caught.value) + shown.out + shown.err


def test_a_source_that_is_given_up_is_an_error_and_a_line(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "watch.jsonl"
    with live_server((folder / "clip.ts").read_bytes(), seconds=1.0) as server:
        when(lambda: labels_in(log) > 3, server.kill)
        with pytest.raises(DataError, match="did not come back in 1 attempts"):
            main(
                f"http://u:hunter2@127.0.0.1:{server.port}/live",
                checkpoint=folder / "colors.ckpt",
                log=log,
                retries=1,
                wait_seconds=(0.1, 0.1),
            )
    assert [line["event"] for line in lines_of(log)[-2:]] == ["failed", "closed"]
    assert "did not come back" in lines_of(log)[-2]["why"]
    assert "hunter2" not in log.read_text()


def sighting(seconds: float, label: str, dropped: int = 0) -> Sighting:
    """A sure one."""
    probabilities = torch.tensor([0.9 if name == label else 0.05 for name in NAMES])
    return Sighting(seconds, label, label, probabilities, 0.9, 0.4, 0.02, dropped, False)


def test_the_terminal_shows_label_bars_changes_and_counts() -> None:
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=100)
    screen = Screen(console, NAMES, "rtsp://u:hunter2@host/live")
    console.print(screen)
    with screen.drawn():
        screen.say("connected: live, h264 64x64")
        screen.see(sighting(0.0, "background"))
        screen.see(sighting(12.25, "red", dropped=3))
    screen.last -= 7
    console.print(screen)
    for part in ("rtsp://***@host/live opening", "connected: live", "12.25 s   red", "0.90", "██████", "0.00 s   back"):
        assert part in drawn.getvalue()
    assert "2 frames, 3 dropped, 0 restarts, latency 20 ms, p99 20 ms" in drawn.getvalue()
    assert "no frame for 7 s" in drawn.getvalue()
    assert "hunter2" not in drawn.getvalue()


def test_elsewhere_a_line_is_written_for_every_change() -> None:
    drawn = io.StringIO()
    screen = Screen(Console(file=drawn, width=100), NAMES, "camera 0")
    with screen.drawn():
        for seconds, label in enumerate(["red", "red", "blue"]):
            screen.see(sighting(seconds, label))
    lines = drawn.getvalue().splitlines()
    assert [line.split() for line in lines[:2]] == [["0.00", "s", "red", "0.90"], ["2.00", "s", "blue", "0.90"]]
    assert lines[2].startswith("3 frames, 0 dropped, 0 restarts")


def test_a_gate_is_named_on_the_command_line_and_its_share_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.jsonl"
    words = [str(folder / "clip.mp4"), f"--checkpoint={folder / 'colors.ckpt'}", f"--log={log}", "--every_frame=true"]
    command(["watch", *words, "--gate=gad_lightning.EveryNth", "--gate.frames_between=3"])
    labels, (closed,) = lines_of(log, "label"), lines_of(log, "closed")
    assert closed["whole_share"] == round(-(-len(labels) // 3) / len(labels), 4)
    assert [line["whole"] for line in labels] == [place % 3 == 0 for place in range(len(labels))]
    assert "the gate had all layers read 34%" in " ".join(capsys.readouterr().out.split())  # lines break by the width
    assert all(labels[place]["label"] == labels[place - place % 3]["label"] for place in range(len(labels)))

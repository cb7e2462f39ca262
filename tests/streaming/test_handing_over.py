"""Live streams are put into words as whole videos are, also after their state was saved."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.open_world.rejector import Rejector
from gad_lightning.decisions.handing_over import HandedOver, HandOver
from gad_lightning.decisions.smoothing import Smoothing
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.rejection.max_logit import MaxLogitScore
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.streaming.pacing import Arrival
from gad_lightning.streaming.watching import Watcher
from gad_lightning.tools.watch import main
from gad_lightning.video.base import Frame
from tests.classifiers.making import random_frames, schema
from tests.classifiers.open_world.test_describing import rejecting
from tests.streaming.colors import picture, train_colors
from tests.video.serving import write_scenes

VIDEOS = random_frames(2, 40)
ASKED = HandOver(min_seconds=0.5, max_tokens=3, tokens_per_minute=18)


def pushed(detector: OnlineDetector, frames: range) -> list[list[HandedOver]]:
    """What is told of both videos, stream by stream."""
    told: list[list[HandedOver]] = [[], []]
    for frame in frames:
        for stream, step in enumerate(detector.decide(detector.push(VIDEOS[:, frame]))):
            told[stream] += [] if step.words is None else [step.words]
    return told


def same(live: list[HandedOver], offline: tuple[HandedOver, ...]) -> None:
    """Every text is the same, every number but for rounding."""
    assert len(live) == len(offline) > 0
    for one, other in zip(live, offline, strict=True):
        assert one._replace(score=0.0) == other._replace(score=0.0)
        assert one.score == pytest.approx(other.score, abs=1e-5)


@pytest.mark.parametrize("mode", ["one_pass", "window"])
def test_live_words_are_those_of_detect_also_after_a_saved_state(mode: Any) -> None:
    model = rejecting(GADClassifier, schema=schema(mode=mode, short=5, chunk=8))
    offline = [model.detect(video, hand_over=ASKED).handed_over for video in VIDEOS]
    assert any(told.slot is None for told in offline[0])  # the minute was full
    first = OnlineDetector(model, num_streams=2, hand_over=ASKED)
    told = pushed(first, range(23))
    second = OnlineDetector(model, num_streams=2, hand_over=ASKED)
    second.load_state_dict(first.state_dict())
    for live, later, expected in zip(told, pushed(second, range(23, 40)), offline, strict=True):
        same(live + later, expected)


def test_a_restart_does_not_give_a_full_minute_again() -> None:
    model = rejecting(GADClassifier)
    detector = OnlineDetector(model, num_streams=2, hand_over=ASKED)
    told = pushed(detector, range(40))
    detector.restart()
    again = pushed(detector, range(40))
    for one, other in zip(told, again, strict=True):
        assert sum(words.tokens for words in [*one, *other]) <= ASKED.tokens_per_minute


def test_a_state_without_words_is_refused_where_words_are_asked_for() -> None:
    model = rejecting(GADClassifier)
    with pytest.raises(CheckpointError, match=r"nothing for 'hand_over.kept'"):
        OnlineDetector(model, hand_over=ASKED).load_state_dict(OnlineDetector(model).state_dict())


def test_pushing_on_before_deciding_is_refused() -> None:
    model = rejecting(GADClassifier)
    detector = OnlineDetector(model, hand_over=ASKED)
    seen = detector.push(VIDEOS[0, 0])
    detector.push(VIDEOS[0, 1])
    with pytest.raises(SettingError, match="call decide after each push"):
        detector.decide(seen)


def test_a_merged_lora_cannot_be_taken_off() -> None:
    model = rejecting(GADClassifier)
    with pytest.raises(SettingError, match="merge folds the LoRA into it"):
        OnlineDetector(model, merge=True, hand_over=ASKED)
    assert not model.backbone.merged
    detector = OnlineDetector(model, merge=True, hand_over=HandOver(from_base=False))
    assert detector.decide(detector.push(VIDEOS[0, 0]))[0].words is None


@pytest.mark.parametrize("smoothing", [None, Smoothing()])
def test_a_watcher_tells_in_stream_time(smoothing: Smoothing | None) -> None:
    model = train_colors()
    model.rejector = Rejector(MaxLogitScore(), over_background=True)
    model.rejector.threshold.fill_(-1e9)  # nothing is known
    watcher = Watcher(OnlineDetector(model, hand_over=HandOver(min_seconds=0.3, from_base=False)), smoothing=smoothing)
    times = [7.0 + number / model.schema.features.fps for number in range(12)]
    seen = [watcher.look(Arrival(Frame(now, picture("red")), time.monotonic(), 0)) for now in times]
    (told,) = [sighting.words for sighting in seen if sighting.words is not None]
    frames = HandOver(min_seconds=0.3).frames(model.schema.features.fps)
    assert (told.start_seconds, told.seconds) == (7.0, times[frames - 1])
    assert told.nearest in ("red", "blue")
    assert bool(seen[-1].started) is False


def test_the_log_holds_the_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = train_colors()
    model.rejector = Rejector(MaxLogitScore(), over_background=True)
    model.rejector.threshold.fill_(-1e9)
    folder = model.save_pretrained(tmp_path / "colors")
    clip, log = write_scenes(tmp_path / "clip.mp4", [("red", 1.5)]), tmp_path / "log.jsonl"
    main(str(clip), checkpoint=folder, log=log, every_frame=True, hand_over=HandOver(min_seconds=0.5, from_base=False))
    (line,) = [line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == "words"]
    assert (line["start_seconds"], line["base"]) == (0.0, None)
    assert line["slot"]
    assert line["slot_log_probability"] < 0
    assert f"nearest {line['nearest']}: {line['slot']!r}" in " ".join(capsys.readouterr().out.split())

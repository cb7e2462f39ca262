"""Live events are those of `detect`, frame for frame, through detector, watcher and log."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.path import Decisions, Event
from gad_lightning.decisions.smoothing import Smoothing
from gad_lightning.decisions.steady import SwitchCost
from gad_lightning.decisions.switches import MinimumDuration
from gad_lightning.decisions.temperature import Temperature
from gad_lightning.decisions.thresholds import Thresholds
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.streaming.events import DIGEST
from gad_lightning.streaming.pacing import Arrival, every
from gad_lightning.streaming.watching import Watcher
from gad_lightning.tools.watch import main
from gad_lightning.video.base import Frame
from gad_lightning.video.live import LiveSource
from tests.classifiers.making import make, random_frames, schema
from tests.streaming.colors import picture, train_colors
from tests.video.serving import write_scenes

SCENES = [("background", 1.0), ("red", 1.5), ("blue", 0.8), ("red", 0.3), ("background", 1.0), ("red", 0.7)]


def decided(classifier: GADClassifier, seconds: float, enter: list[float], leave: list[float]) -> GADClassifier:
    """The classifier with decisions made by hand."""
    task = classifier.schema.tasks[0]
    made = Decisions(
        task.labels,
        classifier.schema.features.fps,
        Temperature(1.3),
        Thresholds(enter, leave),
        MinimumDuration(seconds),
        ConformalLabels(0.1, 0.8),
    )
    classifier.decisions = {task.name: made}
    return classifier


VIDEOS = random_frames(2, 60)


def unsure(mode: Any = "one_pass") -> GADClassifier:
    """An untrained classifier, with thresholds that its probabilities cross again and again."""
    model = make(GADClassifier, schema=schema(mode=mode, short=5, chunk=8))
    assert isinstance(model, GADClassifier)
    probabilities = Temperature(1.3)(model.detect(VIDEOS[0]).scores.double().numpy(), several=False)
    enter, leave = (np.quantile(probabilities, share, axis=0).tolist() for share in (0.6, 0.5))
    return decided(model, 0.3, enter, leave)


def offline(model: GADClassifier, video: torch.Tensor) -> list[tuple[int, int, int, tuple[int, ...]]]:
    """Events that detect gives, in frames."""
    names = model.schema.tasks[0].labels.names
    return [
        (
            round(one.start_seconds * 4),
            round(one.end_seconds * 4),
            names.index(one.label),
            tuple(map(names.index, one.set)),
        )
        for one in model.detect(video).segments
    ]


def short(events: list[Event]) -> list[tuple[int, int, int, tuple[int, ...]]]:
    """Events without scores, in the order of their starts."""
    return sorted((event.start, event.end, event.label, event.set) for event in events)


@pytest.mark.parametrize("mode", ["one_pass", "window"])
def test_events_of_two_streams_are_those_of_detect_with_a_restart_and_a_saved_state(mode: str) -> None:
    model = unsure(mode)
    detector = OnlineDetector(model, num_streams=2)
    for frame in range(7):  # forgotten by the restart
        detector.decide(detector.push(VIDEOS[:, frame]))
    detector.restart()
    found: list[list[Event]] = [[], []]
    for frame in range(60):
        if frame == 30:
            state = detector.state_dict()
            detector = OnlineDetector(model, num_streams=2)
            detector.load_state_dict(state)
        for stream, step in enumerate(detector.decide(detector.push(VIDEOS[:, frame]))):
            found[stream] += step.ended
    for stream, rest in enumerate(detector.restart()):
        expected = offline(model, VIDEOS[stream])
        assert len(expected) > 3
        assert short(found[stream] + rest) == sorted(expected)


def test_every_push_is_decided_once_and_in_order() -> None:
    detector = OnlineDetector(unsure(), num_streams=2)
    first, second = (detector.push(torch.zeros(2, 1, 6)) for _ in range(2))
    with pytest.raises(SettingError, match=r"Frames \[0, 0\] of streams \[0, 1\] come next, got \[1, 1\]") as error:
        detector.decide(second)
    assert "once and in order" in error.value.remedy
    detector.decide(first)
    detector.decide(second)
    with pytest.raises(SettingError, match="come next"):
        detector.decide(second)


def test_a_state_without_events_is_one_of_an_uncalibrated_detector() -> None:
    plain = make(GADClassifier, schema=schema(mode="one_pass", short=5, chunk=8))
    for model, fits in ((plain, True), (unsure(), False)):
        detector = OnlineDetector(model)
        detector.push(torch.zeros(1, 1, 6))
        state = {name: part for name, part in detector.state_dict().items() if not name.startswith("decisions.")}
        if fits:
            detector = OnlineDetector(model)
            detector.load_state_dict(state)
            assert len(detector.decide(detector.push(torch.zeros(1, 1, 6)))) == 1
        else:
            with pytest.raises(CheckpointError, match=r"nothing for 'decisions.above'"):
                detector.load_state_dict(state)


def test_decisions_that_change_while_it_watches_are_followed() -> None:
    detector = OnlineDetector(unsure())
    made, detector.classifier.decisions = detector.classifier.decisions, {}
    for frame in range(20):
        if frame == 10:
            detector.classifier.decisions = made
        (step,) = detector.decide(detector.push(VIDEOS[:1, frame]))
        likeliest = int(step.chosen.argmax()) == int(step.probabilities.argmax())
        assert likeliest or frame >= 10
        assert all(event.start >= 10 for event in step.ended if frame > 10)


def other_decisions(model: GADClassifier) -> dict[str, Decisions]:
    """Decisions that keep one number a class more than those of thresholds."""
    task = model.schema.tasks[0]
    return {task.name: Decisions(task.labels, model.schema.features.fps, steady=SwitchCost(1.0))}


@pytest.mark.parametrize("way", ["other thresholds", "steady labels", "none"])
def test_streams_that_another_calibration_left_behind_are_refused(way: str) -> None:
    model = unsure()
    detector = OnlineDetector(model)
    detector.decide(detector.push(VIDEOS[0][0]))
    saved = detector.state_dict()
    if way == "other thresholds":
        decided(model, 0.3, [0.9] * 5, [0.1] * 5)
    else:
        model.decisions = other_decisions(model) if way == "steady labels" else {}
    for other in (detector, OnlineDetector(model)):
        with pytest.raises(CheckpointError, match="was calibrated otherwise, or not at all, when these") as refused:
            other.load_state_dict(saved)
        assert refused.value.remedy == "start the streams anew, or use the checkpoint that they were saved with"
    assert detector.seen.tolist() == [1]


def test_streams_of_the_same_calibration_go_on_from_its_checkpoint_and_of_an_earlier_version(tmp_path: Path) -> None:
    model = unsure()
    detector = OnlineDetector(model)
    for frame in VIDEOS[0][:10]:
        detector.decide(detector.push(frame))
    saved = detector.state_dict()
    loaded = GADClassifier.from_pretrained(model.save_pretrained(tmp_path / "saved"))
    for state in (saved, {name: part for name, part in saved.items() if name != DIGEST}):
        other = OnlineDetector(loaded)
        other.load_state_dict(state)
        assert other.events.live.frame.tolist() == [10]
        assert torch.equal(other.state_dict()[DIGEST], saved[DIGEST])


def test_a_state_that_is_saved_or_loaded_follows_a_calibration_at_once() -> None:
    model = unsure()
    detector, going = OnlineDetector(model), OnlineDetector(model)
    for each in (detector, going):
        each.decide(each.push(VIDEOS[0][0]))
    model.decisions = other_decisions(model)
    saved = detector.state_dict()
    assert saved["decisions.standing"].shape == (1, len(model.schema.tasks[0].labels.names))
    going.load_state_dict(saved)  # has not decided since either
    for frame in VIDEOS[0][1:9]:
        (one,), (two,) = (each.decide(each.push(frame)) for each in (detector, going))
        assert (one.started, one.ended) == (two.started, two.ended)


@pytest.fixture(scope="module")
def colors() -> GADClassifier:
    """Trained once, with decisions."""
    return decided(train_colors(), 0.2, [0.6] * 3, [0.4] * 3)


def test_a_watched_file_has_the_events_of_detect(colors: GADClassifier, tmp_path: Path) -> None:
    clip = write_scenes(tmp_path / "clip.mp4", SCENES)
    watcher = Watcher(OnlineDetector(colors))
    source = LiveSource(str(clip), colors.schema.features.fps, watcher.encoder.shrink, pace="arrival")
    seen = [watcher.look(arrival) for arrival in every(source)]
    found, expected = [event for sighting in seen for event in sighting.ended], colors.detect(clip)
    found += watcher.close()
    assert [event.label for event in expected.segments] == ["red", "blue", "red", "red"]
    for event, other in zip(sorted(found, key=lambda one: one.start_seconds), expected.segments, strict=True):
        assert (event.label, event.set) == (other.label, other.set)
        assert event[1:4] == pytest.approx(other[1:4], abs=1e-4)
    assert [sighting.label for sighting in seen] == expected.labels
    alarms = [(sighting.seconds, event.label) for sighting in seen for event in sighting.started]
    assert alarms == [(event.start_seconds, event.label) for event in expected.segments]


def test_a_gap_ends_the_events_that_went_on(colors: GADClassifier) -> None:
    watcher = Watcher(OnlineDetector(colors), gap_seconds=1.0)
    times = [7.0 + number / 10 for number in range(8)] + [20.0]
    seen = [watcher.look(Arrival(Frame(now, picture("red")), time.monotonic(), 0)) for now in times]
    assert seen[-1].restarted
    (event,) = seen[-1].ended
    assert event.label == "red"
    assert event[1:3] == pytest.approx((7.1, 7.8))
    assert not watcher.close()


def test_a_smoothing_of_the_user_takes_the_place_of_the_decisions(colors: GADClassifier) -> None:
    watcher = Watcher(OnlineDetector(colors), smoothing=Smoothing())
    sighting = watcher.look(Arrival(Frame(0.0, picture("red")), time.monotonic(), 0))
    assert (sighting.label, sighting.started) == ("red", ())
    other = Watcher(OnlineDetector(colors)).look(Arrival(Frame(0.0, picture("red")), time.monotonic(), 0))
    assert (other.label, other.started) == ("background", ())  # it has not lasted yet


def test_the_log_holds_alarms_and_events(colors: GADClassifier, tmp_path: Path) -> None:
    clip, log = write_scenes(tmp_path / "clip.mp4", SCENES), tmp_path / "log.jsonl"
    folder = colors.save_pretrained(tmp_path / "colors")
    main(str(clip), checkpoint=folder, log=log, every_frame=True)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    expected = colors.detect(clip).segments
    for kind in ("alarm", "event"):
        written = [line for line in lines if line["event"] == kind]
        assert [(line["label"], line["start_seconds"]) for line in written] == [one[:2] for one in expected]
        assert [line["set"] for line in written] == ["; ".join(one.set) for one in expected]
    assert lines[-1]["event"] == "closed"


def test_feedback_is_followed_and_saved_with_the_streams() -> None:
    model = unsure()
    task = model.schema.tasks[0]
    made = model.decisions[task.name]
    misfits = np.linspace(1, 0, 99).tolist()
    model.decisions = {
        task.name: Decisions(task.labels, made.fps, thresholds=made.thresholds, sets=ConformalLabels(0.1, 0.9, misfits))
    }
    detector = OnlineDetector(model, remember_seconds=5)
    names = task.labels.names
    for frame in VIDEOS[0][:30]:
        detector.decide(detector.push(frame))
    for seconds in (4.0, 5.0, 6.25):
        detector.feedback(names[1], seconds)
    state = detector.state_dict()
    other = OnlineDetector(model, remember_seconds=5)
    other.load_state_dict(state)
    for frame in VIDEOS[0][30:]:
        (one,), (two,) = (each.decide(each.push(frame)) for each in (detector, other))
        assert (one.set, one.started, one.ended) == (two.set, two.started, two.ended)
    assert other.events.live.adaptive is not None
    assert other.events.live.adaptive.error[0] != 0.1
    with pytest.raises(SettingError, match=r"There is no class 'salt'; there are "):
        detector.feedback("salt", 14.0)
    with pytest.raises(SettingError, match=r"Frame 16 of stream 0 is not remembered"):
        other.feedback(names[1], 4.0)
    with pytest.raises(SettingError, match="streams are different numbers below 1"):
        other.feedback(names[1], 14.0, stream=3)
    with pytest.raises(CheckpointError, match=r"'decisions\.error'") as refused:
        OnlineDetector(model).load_state_dict(state)
    assert "remember_seconds" in refused.value.remedy
    with pytest.raises(SettingError, match="remember_seconds is 0 or more, got -1"):
        OnlineDetector(model, remember_seconds=-1)


def test_feedback_that_nothing_remembers_is_refused_with_the_way_out() -> None:
    detector = OnlineDetector(unsure())
    detector.decide(detector.push(VIDEOS[0][0]))
    with pytest.raises(SettingError, match="no frames are remembered") as error:
        detector.feedback(detector.classifier.schema.tasks[0].labels.names[0], 0.0)
    assert "remember_seconds above 0" in error.value.remedy
    with pytest.raises(SettingError, match="an earlier version fitted them for one error only"):
        OnlineDetector(unsure(), remember_seconds=5)

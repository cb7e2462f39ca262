"""A live stream's labels are those of its frames, and a gap begins a new stream."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.open_world.rejector import Rejector
from gad_lightning.decisions.smoothing import Smoothing
from gad_lightning.errors import DataError, SettingError
from gad_lightning.rejection.max_logit import MaxLogitScore
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.streaming.pacing import Arrival, every
from gad_lightning.streaming.watching import Sighting, Watcher
from gad_lightning.video.base import Frame
from gad_lightning.video.encoders import SmallEncoder
from gad_lightning.video.live import LiveSource
from tests.streaming.colors import picture, train_colors
from tests.video.serving import write_scenes

SCENES = [("background", 1.0), ("red", 1.5), ("blue", 0.8), ("red", 0.3), ("background", 1.0)]


@pytest.fixture(scope="module")
def colors() -> GADClassifier:
    """Trained once; watching changes nothing in it."""
    return train_colors()


class Overflowing(SmallEncoder):
    """Gives what half precision cannot hold for a red picture."""

    def forward(self, pictures: Tensor) -> Tensor:
        """Encode."""
        red = pictures[:, 0, 0, 0] > pictures[:, 0, 0, 2] + 100
        return torch.where(red[:, None, None], 1e6, super().forward(pictures))


def look(watcher: Watcher, times: list[float], name: str = "red") -> list[Sighting]:
    """Show one picture at some times."""
    return [watcher.look(Arrival(Frame(now, picture(name)), time.monotonic(), 0)) for now in times]


@pytest.mark.parametrize("mode", ["one_pass", "window"])
def test_watching_a_file_is_detecting_in_it(mode: str, tmp_path: Path) -> None:
    classifier = train_colors(mode=mode)
    clip = write_scenes(tmp_path / "clip.mp4", SCENES)
    watcher = Watcher(OnlineDetector(classifier))
    source = LiveSource(str(clip), classifier.schema.features.fps, watcher.encoder.shrink, pace="arrival")
    seen = [watcher.look(arrival) for arrival in every(source)]
    offline = classifier.detect(clip)
    assert [sighting.label for sighting in seen] == offline.labels
    assert [sighting.seconds for sighting in seen] == offline.seconds
    assert torch.allclose(torch.stack([s.probabilities for s in seen]), offline.scores.exp(), atol=1e-5)
    assert set(offline.labels) == {"background", "red", "blue"}


def test_after_a_gap_the_stream_begins_anew(colors: GADClassifier) -> None:
    watcher, fresh = Watcher(OnlineDetector(colors), gap_seconds=1.0), Watcher(OnlineDetector(colors))
    look(watcher, [number / 10 for number in range(13)], "blue")
    after = look(watcher, [2.3, 2.4, 2.5])
    expected = look(fresh, [0.0, 0.1, 0.2])
    assert [sighting.restarted for sighting in after] == [True, False, False]
    assert all(torch.equal(a.probabilities, e.probabilities) for a, e in zip(after, expected, strict=True))


def test_after_a_shorter_time_the_stream_goes_on_without_the_missing_frames(colors: GADClassifier) -> None:
    watcher, whole = Watcher(OnlineDetector(colors), gap_seconds=1.0), Watcher(OnlineDetector(colors))
    times = [0.0, 0.1, 0.2, 1.2, 1.3, 2.0]
    seen, expected = look(watcher, times), look(whole, [number / 10 for number in range(6)])
    assert not any(sighting.restarted for sighting in seen)
    assert [sighting.seconds for sighting in seen] == times
    assert all(torch.equal(a.probabilities, e.probabilities) for a, e in zip(seen, expected, strict=True))


def test_a_sighting_says_how_sure_and_how_late_it_is(colors: GADClassifier) -> None:
    smoothing = Smoothing(frames=4)
    watcher = Watcher(OnlineDetector(colors), smoothing=smoothing)
    look(watcher, [0.0], "background")
    arrival = Arrival(Frame(0.1, picture("red")), time.monotonic() - 5, dropped=7)
    seen = watcher.look(arrival)
    assert (seen.label, seen.likeliest, seen.dropped) == ("background", "red", 7)
    assert seen.score == pytest.approx(float(seen.probabilities[0]))
    entropy = -(seen.probabilities.double() * seen.probabilities.double().log()).sum()
    assert seen.entropy == pytest.approx(float(entropy), abs=1e-5)
    assert 5 < seen.latency < 7


def test_a_gap_forgets_what_was_shown(colors: GADClassifier) -> None:
    watcher = Watcher(OnlineDetector(colors), smoothing=Smoothing(frames=9))
    look(watcher, [0.0], "background")
    assert look(watcher, [0.1])[0].label == "background"
    assert look(watcher, [9.0])[0].label == "red"


def test_settings_that_cannot_work_are_refused(colors: GADClassifier) -> None:
    with pytest.raises(SettingError, match=r"gap_seconds must be at least one frame, 0.1 s, got 0.05"):
        Watcher(OnlineDetector(colors), gap_seconds=0.05)
    with pytest.raises(SettingError, match="features of the encoder 'small', not 'small-seed3'"):
        Watcher(OnlineDetector(colors), SmallEncoder(seed=3))


def test_a_frame_whose_features_are_not_finite_is_an_error_and_the_stream_can_go_on(colors: GADClassifier) -> None:
    watcher, fresh = Watcher(OnlineDetector(colors), Overflowing()), Watcher(OnlineDetector(colors))
    with pytest.raises(DataError, match="features of stream 0 hold NaN or infinite values"):
        look(watcher, [0.0], "red")
    seen, expected = look(watcher, [0.1], "blue")[0], look(fresh, [0.1], "blue")[0]
    assert torch.equal(seen.probabilities, expected.probabilities)


def test_the_encoder_of_a_detector_is_the_watchers(colors: GADClassifier) -> None:
    encoder = SmallEncoder()
    assert Watcher(OnlineDetector(colors, encoder=encoder)).encoder is encoder


def test_unknown_is_shown_as_a_class_of_its_own_and_smoothed_as_one(colors: GADClassifier) -> None:
    colors.rejector = Rejector(MaxLogitScore())
    colors.rejector.threshold.fill_(-1e9)
    try:
        watcher = Watcher(OnlineDetector(colors), smoothing=Smoothing(2))
        seen = look(watcher, [0.0, 0.1])
        colors.rejector.threshold.fill_(1e9)
        seen += look(watcher, [0.2, 0.3])
    finally:
        colors.rejector = None
    assert [sighting.label for sighting in seen] == ["unknown", "unknown", "unknown", "red"]
    assert [sighting.likeliest for sighting in seen] == ["red"] * 4
    assert [(sighting.rejection or 0) > 0 for sighting in seen] == [True, True, False, False]
    assert seen[0].score == pytest.approx(float(seen[0].probabilities.max()))

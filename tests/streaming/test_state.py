"""What a live stream has seen can be saved, and goes on elsewhere as if nothing had happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.errors import CheckpointError
from gad_lightning.streaming.detector import OnlineDetector
from tests.classifiers.making import make, random_frames, schema

ONE_PASS = {"mode": "one_pass", "short": 5, "chunk": 3}


@pytest.mark.parametrize(
    ("kind", "windows"),
    [
        pytest.param(GADClassifier, ONE_PASS, id="gad, one pass"),
        pytest.param(GenerativeClassifier, ONE_PASS, id="gen, one pass"),
        pytest.param(GADClassifier, {"mode": "window", "short": 5, "long": 4}, id="gad, window"),
    ],
)
def test_streams_go_on_with_the_same_bits(kind: type[Classifier], windows: dict[str, Any], tmp_path: Path) -> None:
    classifier = make(kind, schema=schema(**windows))
    frames = random_frames(2, 24)
    going = OnlineDetector(classifier, num_streams=2)
    for moment in range(9):
        going.push(frames[:, moment])
    going.push(frames[:1, 9], [0])  # the streams stand at different frames when they are saved
    torch.save(going.state_dict(), tmp_path / "streams.pt")

    resumed = OnlineDetector(classifier, num_streams=2)
    resumed.load_state_dict(torch.load(tmp_path / "streams.pt", weights_only=True))
    for moment in range(10, 24):
        expected, found = going.push(frames[:, moment]), resumed.push(frames[:, moment])
        assert torch.equal(found.scores, expected.scores)
        assert torch.equal(found.slot_states, expected.slot_states)
        assert torch.equal(found.frame, expected.frame)


def test_a_state_is_a_copy() -> None:
    detector = OnlineDetector(make(GADClassifier, schema=schema(**ONE_PASS)))
    saved = detector.state_dict()
    before = {name: part.clone() for name, part in saved.items()}
    detector.push(random_frames(1, 1)[0])
    assert all(torch.equal(saved[name], part) for name, part in before.items())


@pytest.mark.parametrize(
    ("windows", "streams", "precision", "message"),
    [
        pytest.param(ONE_PASS, 2, torch.float32, r"\(1,\) int64 for 'seen'; this detector has \(2,\)", id="streams"),
        pytest.param({**ONE_PASS, "short": 7}, 1, torch.float32, "for 'places.kind'; this detector", id="window"),
        pytest.param(ONE_PASS, 1, torch.float64, "float32 for 'keys.0'; this detector has .* float64", id="precision"),
        pytest.param({"short": 5}, 1, torch.float32, "nothing for 'kept'; this detector has", id="mode"),
    ],
)
def test_the_state_of_another_detector_is_refused(
    windows: dict[str, Any], streams: int, precision: torch.dtype, message: str
) -> None:
    saved = OnlineDetector(make(GADClassifier, schema=schema(**ONE_PASS))).state_dict()
    other = OnlineDetector(make(GADClassifier, schema=schema(**windows)).to(precision), streams)
    with pytest.raises(CheckpointError, match=message):
        other.load_state_dict(saved)


def test_the_state_of_other_weights_is_refused() -> None:
    saved = OnlineDetector(make(GADClassifier, schema=schema(**ONE_PASS))).state_dict()
    trained = make(GADClassifier, schema=schema(**ONE_PASS))
    with torch.no_grad():
        for weight in trained.backbone.parameters():
            weight.mul_(1.1)
    with pytest.raises(CheckpointError, match="read by other weights"):
        OnlineDetector(trained).load_state_dict(saved)


def test_the_state_of_another_chunk_is_refused_where_it_would_fit() -> None:
    saved = OnlineDetector(make(GADClassifier, schema=schema(mode="one_pass", short=5, chunk=7))).state_dict()
    other = OnlineDetector(make(GADClassifier, schema=schema(mode="one_pass", short=5, chunk=8)))
    with pytest.raises(CheckpointError, match=r"chunk and task \[5, 0, 7, 0\]; this detector has \[5, 0, 8, 0\]"):
        other.load_state_dict(saved)

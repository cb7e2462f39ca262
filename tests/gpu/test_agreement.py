"""A classifier says on the GPU what it says on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.readouts.likelihood import LikelihoodReadout
from gad_lightning.readouts.nearest import NearestReadout
from gad_lightning.readouts.trie import TrieReadout
from gad_lightning.schema import Mode
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.training.distribution import average
from gad_lightning.video.encoders import SmallEncoder
from tests.classifiers.making import random_frames
from tests.gpu.card import DEVICE, KINDS, LORA, MODES, ON_GPU, asking, pair, same, shake, tiny

pytestmark = ON_GPU


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_gradients(kind: str, mode: Mode) -> None:
    here, there = pair(kind, mode)
    losses = [average(one.losses(asking().to(one.device)), 1)[0] for one in (here, there)]
    same(losses[1], losses[0])
    for loss in losses:
        loss.backward()
    for mine, theirs in zip(here.parameters(), there.parameters(), strict=True):
        assert (mine.grad is None) == (theirs.grad is None)
        if mine.grad is not None and theirs.grad is not None:
            same(theirs.grad, mine.grad)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        pytest.param("disc", {}, id="disc"),
        pytest.param("gad", {}, id="gad"),
        pytest.param("ordered", {"order": "generative_first", "context": PreviousActions()}, id="gad, context first"),
        pytest.param("gen", {"readout": TrieReadout()}, id="gen, trie"),
        pytest.param("gen", {"readout": LikelihoodReadout()}, id="gen, likelihood"),
        pytest.param("gen", {"readout": NearestReadout(4)}, id="gen, nearest"),
    ],
)
@pytest.mark.filterwarnings("ignore:generative_first")
def test_scores(kind: str, more: dict[str, Any], mode: Mode) -> None:
    if isinstance(more.get("readout"), NearestReadout):
        pytest.importorskip("rapidfuzz")
    with torch.inference_mode():
        here, there = (one.eval().scores(asking().to(one.device)) for one in pair(kind, mode, **more))
    same(there.scores, here.scores)
    same(there.slot_states, here.slot_states)
    assert torch.equal(there.label.cpu(), here.label)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_live_streams_that_stall_and_restart(kind: str, mode: Mode) -> None:
    on_host, on_card = pair(kind, mode)
    here, there = OnlineDetector(on_host, 3), OnlineDetector(on_card, 3)
    frames = random_frames(3, 24)
    for moment in range(24):
        chosen = [0, 1, 2] if moment % 3 else [2, 0]
        if moment == 11:
            for detector in (here, there):
                detector.restart([1])
        shown = frames[chosen, moment]
        found = there.push(shown.to(DEVICE) if moment % 2 else shown, chosen)
        same(found.scores, here.push(shown, chosen).scores)


def test_streams_go_on_from_one_device_to_the_other() -> None:
    on_host, on_card = pair("disc", "one_pass")
    here, there = OnlineDetector(on_host, 2), OnlineDetector(on_card, 2)
    frames = random_frames(2, 20)
    for moment in range(10):
        there.push(frames[:, moment])
    here.load_state_dict(there.state_dict())
    for moment in range(10, 15):
        same(there.push(frames[:, moment]).scores, here.push(frames[:, moment]).scores)
    there.load_state_dict(here.state_dict())
    for moment in range(15, 20):
        same(there.push(frames[:, moment]).scores, here.push(frames[:, moment]).scores)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_detect_takes_features_from_anywhere(kind: str, mode: Mode) -> None:
    here, there = pair(kind, mode)
    video = random_frames(1, 30)[0]
    expected = here.detect(video)
    given: list[np.ndarray | torch.Tensor] = [video.numpy(), video, video.to(DEVICE), video.to(DEVICE, torch.bfloat16)]
    for number, features in enumerate(given):
        found = there.detect(features)
        assert found.scores.device.type == "cpu"
        same(found.scores, expected.scores, 0.3 if number == 3 else 1e-4)
        if number != 3:
            assert (found.labels, [part.label for part in found.segments]) == (
                expected.labels,
                [part.label for part in expected.segments],
            )


@pytest.mark.parametrize("kind", KINDS)
def test_merged_lora(kind: str) -> None:
    here, _ = pair(kind, "one_pass", tiny(lora=LORA, lora_on_head=kind != "disc"))
    there = pair(kind, "one_pass", tiny(lora=LORA, lora_on_head=kind != "disc"))[1]
    shake(here)
    shake(there)
    batch = asking()
    with torch.inference_mode():
        expected = here.eval().scores(batch).slot_states
        apart = there.eval().scores(batch.to(DEVICE)).slot_states
        assert there.backbone.merge() == 0.0
        merged = there.scores(batch.to(DEVICE)).slot_states
    same(apart, expected)
    same(merged, expected)


def test_forward_gives_log_probabilities_on_the_device() -> None:
    here, there = pair("disc", "window")
    frames = random_frames(3, 5)
    with torch.inference_mode():
        found = there.eval()(frames)
        assert found.device.type == DEVICE
        same(found, here.eval()(frames))


def test_pictures_pushed_to_a_detector_on_the_device() -> None:
    encoder = SmallEncoder()
    pictures = torch.randint(0, 256, (2, 40, 60, 3), dtype=torch.uint8)
    expected = encoder.encode(pictures)
    same(encoder.to(DEVICE).encode(pictures), expected)
    same(encoder.encode(pictures.to(DEVICE)), expected)

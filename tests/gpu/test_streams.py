"""Compiled streams: CUDA graphs that are really used, and the scores of the plain streams."""

from __future__ import annotations

import shutil

import pytest
import torch
from torch._dynamo.utils import counters

from gad_lightning.schema import Mode
from gad_lightning.streaming.detector import OnlineDetector
from tests.classifiers.making import random_frames
from tests.gpu.card import DEVICE, KINDS, ON_GPU, pair, same

pytestmark = [
    *ON_GPU,
    pytest.mark.skipif(DEVICE == "cpu" and shutil.which("g++") is None, reason="torch.compile needs a C++ compiler"),
]
STREAMS = 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_cuda_graph_gives_the_scores_of_plain_streams(kind: str) -> None:
    counters.clear()
    _, classifier = pair(kind, "one_pass")
    plain, compiled = OnlineDetector(classifier, STREAMS), OnlineDetector(classifier, STREAMS, compiled=True)
    frames, generator = random_frames(STREAMS, 30), torch.Generator().manual_seed(1)
    for step in range(30):
        ready = [stream for stream in range(STREAMS) if torch.rand(1, generator=generator) < 0.6] or [step % STREAMS]
        if step % 10 == 9:
            plain.restart(ready[:1])
            compiled.restart(ready[:1])
        expected, found = (detector.push(frames[ready, step], ready) for detector in (plain, compiled))
        same(found.slot_states, expected.slot_states)
        same(found.scores, expected.scores)
    assert counters["inductor"]["cudagraph_skips"] == 0
    assert counters["stats"]["unique_graphs"] == 1


def test_what_a_step_gave_stays_when_the_graph_runs_again() -> None:
    _, classifier = pair("disc", "one_pass")
    detector = OnlineDetector(classifier, 2, compiled=True)
    first = detector.push(random_frames(2, 1)[:, 0])
    kept = first.slot_states.clone(), first.scores.clone()
    for step in range(5):
        detector.push(random_frames(2, 1, seed=step)[:, 0])
    assert torch.equal(first.slot_states, kept[0])
    assert torch.equal(first.scores, kept[1])


def test_two_compiled_detectors_in_turns() -> None:
    _, classifier = pair("gad", "one_pass")
    plain = OnlineDetector(classifier, 2)
    ones = [OnlineDetector(classifier, 2, compiled=True) for _ in range(2)]
    frames = random_frames(2, 8)
    for moment in range(8):
        expected = plain.push(frames[:, moment])
        for one in ones:
            same(one.push(frames[:, moment]).scores, expected.scores)


def test_a_compiled_detector_goes_on_from_a_plain_ones_state() -> None:
    _, classifier = pair("disc", "one_pass")
    plain, compiled = OnlineDetector(classifier, 2), OnlineDetector(classifier, 2, compiled=True)
    frames = random_frames(2, 16)
    compiled.push(frames[:, 0])
    for moment in range(8):
        plain.push(frames[:, moment])
    compiled.load_state_dict(plain.state_dict())
    for moment in range(8, 16):
        same(compiled.push(frames[:, moment]).scores, plain.push(frames[:, moment]).scores)


@pytest.mark.parametrize("mode", ["window"])
def test_compiled_windows(mode: Mode) -> None:
    here, there = pair("disc", mode)
    plain, compiled = OnlineDetector(here, 2), OnlineDetector(there, 2, compiled=True)
    frames = random_frames(2, 8)
    for moment in range(8):
        same(compiled.push(frames[:, moment]).scores, plain.push(frames[:, moment]).scores)


def test_streams_under_autocast() -> None:
    """Keys may be of another number format than values there, and prompts were read outside of it."""
    for compiled in (False, True):
        _, classifier = pair("disc", "one_pass")
        plain, cast = OnlineDetector(classifier, 2), OnlineDetector(classifier, 2, compiled=compiled)
        for moment in range(6):
            shown = random_frames(2, 1, seed=moment)[:, 0]
            with torch.autocast(DEVICE, torch.bfloat16):
                found = cast.push(shown)
            same(found.scores, plain.push(shown).scores, 0.1)

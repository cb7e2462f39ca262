"""Compiled streams: one graph, and the scores of the plain ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.prompts.slots.window_mean import WindowMeanSlot
from gad_lightning.streaming.compiled import CompiledStreams
from gad_lightning.streaming.detector import OnlineDetector
from tests.classifiers.making import make, random_frames, schema
from tests.streaming.test_detector import close

STREAMS = 4
TINY = schema(mode="one_pass", short=5, chunk=3)  # two rows a stream are warmed while a third one is asked


def assert_alike(classifier: Classifier, steps: int, after_first: Callable[[], Any] = lambda: None) -> None:
    """Push random streams, which stall and restart, to a plain and a compiled detector."""
    plain = OnlineDetector(classifier, STREAMS)
    compiled = OnlineDetector(classifier, STREAMS, compiled=True)
    frames, generator = random_frames(STREAMS, steps), torch.Generator().manual_seed(1)
    for step in range(steps):
        ready = [stream for stream in range(STREAMS) if torch.rand(1, generator=generator) < 0.6] or [step % STREAMS]
        if step % 10 == 9:
            plain.restart(ready[:1])
            compiled.restart(ready[:1])
        expected, found = (detector.push(frames[ready, step], ready) for detector in (plain, compiled))
        assert close(found.slot_states, expected.slot_states, 1e-5)
        assert close(found.scores.exp(), expected.scores.exp(), 1e-5)
        assert torch.equal(found.frame, expected.frame)
        if step == 0:
            after_first()


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        pytest.param(DiscriminativeClassifier, {}, id="disc"),
        pytest.param(GADClassifier, {"prompt": Prompt(separator=",")}, id="gad, separators"),
        pytest.param(GADClassifier, {"prompt": Prompt(opener="")}, id="gad, last visual token"),
        pytest.param(GADClassifier, {"slot": WindowMeanSlot()}, id="gad, window mean"),
        pytest.param(GenerativeClassifier, {}, id="gen"),
    ],
)
def test_any_streams_are_read_by_the_one_graph_of_the_first_step(
    kind: type[Classifier], more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = CompileCounter()  # runs what it counts uncompiled
    monkeypatch.setattr(CompiledStreams, "backend", counter)
    counted: list[int] = []
    assert_alike(make(kind, schema=TINY, **more), 40, lambda: counted.append(counter.frame_count))
    assert [*counted, counter.frame_count] == [1, 1]


def test_every_detector_has_its_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = CompileCounter()
    monkeypatch.setattr(CompiledStreams, "backend", counter)
    classifier = make(GADClassifier, schema=TINY, layers=1)
    with torch._dynamo.config.patch(recompile_limit=1):
        for streams in (1, 2, 3):
            OnlineDetector(classifier, streams, compiled=True).push(random_frames(streams, 1)[:, 0])
    assert counter.frame_count == 3


def test_a_plain_detectors_streams_go_on_in_a_compiled_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CompiledStreams, "backend", "eager")
    classifier, frames = make(GADClassifier, schema=TINY), random_frames(2, 20)
    plain, compiled = OnlineDetector(classifier, 2), OnlineDetector(classifier, 2, compiled=True)
    for moment in range(8):
        plain.push(frames[:, moment])
    compiled.load_state_dict(plain.state_dict())
    for moment in range(8, 20):
        assert close(compiled.push(frames[:, moment]).slot_states, plain.push(frames[:, moment]).slot_states, 1e-5)


@pytest.mark.slow  # compiles the backbone
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_compiled_code_gives_the_scores_of_a_plain_stream() -> None:
    assert_alike(make(DiscriminativeClassifier, schema=TINY), 30)

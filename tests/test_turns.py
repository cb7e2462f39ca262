"""Threads that share a classifier: each gets what it would get alone, and the classifier stays as it was."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.errors import DataError
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.turns import Turns
from tests.classifiers.making import WIDTH, make, schema

VIDEOS = [np.random.default_rng(number).normal(size=(60, WIDTH)).astype("float32") for number in range(4)]


def classifier_of(kind: Any, **more: Any) -> Any:
    """One-pass, in evaluation mode."""
    return make(kind, schema=schema(mode="one_pass", short=6, chunk=5), **more).eval()


def in_threads(work: Callable[[int], None]) -> None:
    """Run ``work(0)`` to ``work(3)`` side by side, and raise what one of them raised."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


@pytest.mark.parametrize("kind", [GADClassifier, GenerativeClassifier])
def test_detect_gives_each_thread_its_own_video(kind: Any) -> None:
    classifier = classifier_of(kind)
    alone = [classifier.detect(video).scores for video in VIDEOS]
    found: list[list[Tensor]] = [[] for _ in VIDEOS]

    def ask(number: int) -> None:
        for _ in range(5):
            found[number].append(classifier.detect(VIDEOS[number]).scores)

    in_threads(ask)
    for number, expected in enumerate(alone):
        for scores in found[number]:
            assert torch.allclose(scores.exp(), expected.exp(), atol=1e-5)


@pytest.mark.parametrize("shared", [True, False], ids=["one detector of four streams", "a detector each"])
def test_pushes_of_threads_do_not_meet(shared: bool) -> None:
    classifier = classifier_of(GADClassifier)
    alone = [classifier.detect(video).scores for video in VIDEOS]
    one = OnlineDetector(classifier, num_streams=4)
    found: list[list[Tensor]] = [[] for _ in VIDEOS]
    detectors = [one if shared else OnlineDetector(classifier) for _ in VIDEOS]

    def push(number: int) -> None:
        for frame in VIDEOS[number]:
            said = detectors[number].push(torch.tensor(frame)[None], [number if shared else 0])
            found[number].append(said.scores[0])
            if number == 0:
                classifier.detect(VIDEOS[0][:6])  # files beside live streams

    in_threads(push)
    for rows, expected in zip(found, alone, strict=True):
        assert torch.allclose(torch.stack(rows), expected, atol=1e-4)


def test_a_training_classifier_trains_on_after_detect_in_threads() -> None:
    classifier = classifier_of(GADClassifier)
    expected = classifier.detect(VIDEOS[0]).scores
    classifier.train()
    still = classifier.heads[0].dropout
    still.eval()  # a module that its owner holds in evaluation mode
    broken = VIDEOS[1].copy()
    broken[3, 1] = np.nan

    def ask(number: int) -> None:
        for _ in range(3):
            assert torch.allclose(classifier.detect(VIDEOS[0]).scores, expected, atol=1e-5)
            if number == 1:
                with pytest.raises(DataError, match="Frame 3 of the features holds NaN"):
                    classifier.detect(broken)

    in_threads(ask)
    assert classifier.training
    assert classifier.backbone.training
    assert not still.training


def test_an_error_while_scoring_leaves_the_modes_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = classifier_of(GADClassifier).train()

    def fail(*unused: Any) -> None:
        assert not classifier.training
        raise RuntimeError("out of memory")

    monkeypatch.setattr(classifier.backbone, "slot_states", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        classifier.detect(VIDEOS[0])
    assert classifier.training
    monkeypatch.undo()
    assert len(classifier.detect(VIDEOS[0]).labels) == 60  # the turn was given back


def test_a_copy_has_turns_of_its_own() -> None:
    turns = Turns()
    for other in (copy.deepcopy(turns), pickle.loads(pickle.dumps(turns))):  # noqa: S301 - our own bytes
        assert other.lock is not turns.lock
        with turns, other, turns:
            pass

"""What is the same on the CPU and on another device. ``python -m tests.emulated.checks LIBRARY CHECK``."""

from __future__ import annotations

import copy
import sys
from typing import Any

import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.readouts.likelihood import LikelihoodReadout
from gad_lightning.readouts.nearest import NearestReadout
from gad_lightning.readouts.trie import TrieReadout
from gad_lightning.schema import Mode
from gad_lightning.streaming.compiled import CompiledStreams
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.training.distribution import average
from tests.classifiers.making import batch, make, random_frames, schema
from tests.emulated.device import NAME, register, waits

KINDS = {"disc": DiscriminativeClassifier, "gad": GADClassifier, "gen": GenerativeClassifier}
MODES: tuple[Mode, ...] = ("window", "one_pass")
WAITS_OF_TRIE = 4
"""More waits of a push: the logits of each step of an answer come to the host, which holds the trie."""


def pair(kind: str, mode: Mode, **more: Any) -> tuple[Classifier, Classifier]:
    """The same classifier here and there."""
    here = make(KINDS[kind], schema=schema(mode=mode, short=5, chunk=3), **more)
    return here, copy.deepcopy(here).to(NAME)


def same(there: Tensor, here: Tensor) -> None:
    """Hold a result of the device against the CPU's."""
    torch.testing.assert_close(there.cpu(), here, rtol=1e-4, atol=1e-5)


def training() -> None:
    """Losses and gradients of a training step."""
    asked = [[0, 2, 5], [4, 5]]
    asking = batch(random_frames(2, 6), asked, labels=torch.tensor([1, 3, 0, 2, 4]))
    for kind in KINDS:
        for mode in MODES:
            here, there = pair(kind, mode)
            losses = [average(one.losses(asking.to(one.device)), 1)[0] for one in (here, there)]
            same(losses[1].detach(), losses[0].detach())
            for loss in losses:
                loss.backward()
            for mine, theirs in zip(here.parameters(), there.parameters(), strict=True):
                assert (mine.grad is None) == (theirs.grad is None)
                if mine.grad is not None and theirs.grad is not None:
                    same(theirs.grad, mine.grad)


def evaluation() -> None:
    """Scores in both modes, and of every readout."""
    asking = batch(random_frames(2, 6), [[0, 2, 5], [4, 5]])
    for kind, readout in (
        ("disc", None),
        ("gad", None),
        ("gen", TrieReadout()),
        ("gen", LikelihoodReadout()),
        ("gen", NearestReadout()),
    ):
        for mode in MODES:
            more = {} if readout is None else {"readout": readout}
            here, there = (one.eval().scores(asking.to(one.device)) for one in pair(kind, mode, **more))
            same(there.scores, here.scores)
            same(there.slot_states, here.slot_states)


def streams() -> None:
    """Labels of live streams, plain, compiled and in windows; their state; how often the host waits for a push."""
    CompiledStreams.backend = "eager"
    frames = random_frames(2, 20)
    for kind in KINDS:
        for mode, compiled, most in (("one_pass", False, 3), ("one_pass", True, 1), ("window", False, 4)):
            on_host, on_device = pair(kind, mode)
            here, there = OnlineDetector(on_host, 2), OnlineDetector(on_device, 2, compiled=compiled)
            for moment in range(20):
                chosen = [0, 1] if moment % 3 else [1]
                shown = frames[chosen, moment]
                expected, pushed = here.push(shown, chosen), shown.to(NAME)
                waits()
                found = there.push(pushed, chosen)
                waited = waits()
                assert waited <= most + (kind == "gen") * WAITS_OF_TRIE, (kind, mode, compiled, waited)
                same(found.scores, expected.scores)
            there.load_state_dict(there.state_dict())


if __name__ == "__main__":
    register(sys.argv[1])
    {check.__name__: check for check in (training, evaluation, streams)}[sys.argv[2]]()

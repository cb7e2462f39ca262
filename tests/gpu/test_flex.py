"""FlexAttention's kernels against ``sdpa``, forward and backward."""

from __future__ import annotations

import copy
import shutil
from typing import Any

import pytest
import torch

from gad_lightning.classifiers.base import Classifier
from gad_lightning.training.distribution import average
from tests.backbones.execution.test_packing import uneven
from tests.classifiers.making import make, random_frames, schema
from tests.gpu.card import DEVICE, KINDS, LORA, ON_GPU, same, shake, tiny

pytestmark = [
    *ON_GPU,
    pytest.mark.skipif(DEVICE == "cpu" and shutil.which("g++") is None, reason="torch.compile needs a C++ compiler"),
]
KIND = pytest.mark.parametrize("kind", KINDS)


def two(kind: str, **backbone: Any) -> tuple[Classifier, Classifier]:
    """The same classifier on the device by sdpa and by FlexAttention."""
    asked = schema(mode="one_pass", short=6, chunk=64)
    plain = make(KINDS[kind], schema=asked, backbone=tiny(**backbone)).to(DEVICE)
    flexed = copy.deepcopy(plain)
    flexed.backbone.attention = "flex"
    return plain, flexed


@KIND
def test_scores(kind: str) -> None:
    plain, flexed = two(kind)
    video = random_frames(1, 150)[0]
    same(flexed.detect(video).scores, plain.detect(video).scores)


@pytest.mark.skipif(DEVICE == "cpu", reason="has no backward pass on a CPU")
@KIND
def test_gradients(kind: str) -> None:
    pairs = two(kind)
    losses = [average(one.train().losses(uneven().to(DEVICE)), 1)[0] for one in pairs]
    same(losses[1], losses[0])
    for loss in losses:
        loss.backward()
    for mine, theirs in zip(*(one.parameters() for one in pairs), strict=True):
        assert (mine.grad is None) == (theirs.grad is None)
        if mine.grad is not None and theirs.grad is not None:
            same(theirs.grad, mine.grad, 1e-3)


@pytest.mark.skipif(DEVICE == "cpu", reason="takes nothing that needs a gradient on a CPU")
@pytest.mark.parametrize("lora", [None, LORA], ids=["whole", "lora"])
def test_under_autocast(lora: dict[str, Any] | None) -> None:
    losses = []
    for one in two("gad", lora=lora):
        shake(one)
        with torch.autocast(DEVICE, torch.bfloat16):
            losses.append(average(one.train().losses(uneven().to(DEVICE)), 1)[0])
        losses[-1].backward()
    same(losses[1], losses[0], 0.05)

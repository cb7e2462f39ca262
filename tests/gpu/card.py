"""What the tests of a GPU share. ``GPU_TESTS_ON=cpu`` runs them where there is none, to see whether they run."""

from __future__ import annotations

import copy
import os
from typing import Any

import pytest
import torch
from torch import Tensor

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.ablations.orders import OrderedGADClassifier
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.schema import Mode
from gad_lightning.types import Batch
from tests.classifiers.making import batch, make, random_frames, schema

DEVICE = os.environ.get("GPU_TESTS_ON", "cuda")
ON_GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="needs a CUDA device"),
]
KINDS: dict[str, type[Classifier]] = {
    "disc": DiscriminativeClassifier,
    "gad": GADClassifier,
    "gen": GenerativeClassifier,
}
MODES: tuple[Mode, ...] = ("window", "one_pass")
LORA: dict[str, Any] = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0}


def tiny(**more: Any) -> TinyBackbone:
    """Heads of 16 numbers: FlexAttention's kernels take none below."""
    return TinyBackbone(hidden_size=64, num_layers=2, **more)


def pair(kind: str, mode: Mode, backbone: TinyBackbone | None = None, **more: Any) -> tuple[Classifier, Classifier]:
    """The same classifier on the CPU and on the GPU: windows of five frames, chunks of three."""
    asked = schema(mode=mode, short=5, chunk=3)
    here = make(
        {**KINDS, "ordered": OrderedGADClassifier}[kind],
        schema=asked,
        backbone=tiny() if backbone is None else backbone,
        **more,
    )
    return here, copy.deepcopy(here).to(DEVICE)


def shake(classifier: Classifier) -> Classifier:
    """Give the LoRA values: it begins as zero, where nothing could go wrong."""
    generator = torch.Generator().manual_seed(1)
    for name, weight in classifier.named_parameters():
        if "lora_B" in name:
            weight.data.copy_(torch.randn(weight.shape, generator=generator) * 0.05)
    return classifier


def asking() -> Batch:
    """Two samples of six frames, five queries with labels."""
    return batch(random_frames(2, 6), [[0, 2, 5], [4, 5]], labels=torch.tensor([1, 3, 0, 2, 4]))


def same(there: Tensor, here: Tensor, close: float = 1e-4) -> None:
    """Hold a result of the GPU against the CPU's."""
    torch.testing.assert_close(there.detach().cpu().float(), here.detach().cpu().float(), rtol=close, atol=close)

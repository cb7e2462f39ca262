"""Frames that skip layers: nothing changes where nobody reads them, and the number is chosen on validation alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from tests.classifiers.making import batch, make, random_frames, schema

SCRIPTS = Path(__file__).resolve().parents[1] / "experiments" / "ablations"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import short_v

    return short_v


def test_frames_frozen_in_the_last_layer_change_nothing_and_below_it_they_do(script: Any) -> None:
    backbone = TinyBackbone(hidden_size=32, num_layers=3)
    classifier = make(DiscriminativeClassifier, schema=schema(mode="one_pass", short=5, chunk=3), backbone=backbone)
    asked = batch(random_frames(2, 7), [[4, 5, 6], [5]])

    def scores(layers: list[int]) -> Tensor:
        with torch.inference_mode(), script.frozen_in(classifier.backbone, layers):
            return classifier.eval().scores(asked).scores

    whole = scores([])
    assert torch.equal(scores([2]), whole)
    assert not torch.allclose(scores([0]), whole)
    assert torch.equal(scores([]), whole), "the hooks are gone"


def test_the_most_layers_that_lose_no_more_in_both_figures_are_chosen(script: Any) -> None:
    kept = [(0.50, 0.60), (0.51, 0.60), (0.496, 0.61), (0.52, 0.58)]
    rows = [{"val": {"segment_f1": first, "accuracy": second}} for first, second in kept]
    assert script.chosen(rows, 0.005) == 2
    assert script.chosen(rows, 0.0) == 1

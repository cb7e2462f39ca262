"""What embeds the states of a classifier, and whether texts have a place there."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.heads.text import TextHead
from gad_lightning.objectives.contrast_text import ContrastText
from gad_lightning.objectives.structure_induced import StructureInduced
from gad_lightning.search.embedding import embedder_of, fingerprint_of
from tests.classifiers.making import make

LORA = {"r": 2, "lora_alpha": 4}
SPACES: list[tuple[str, dict[str, Any], bool]] = [
    ("ContrastText", {"objectives": [StructureInduced(), ContrastText()]}, True),
    ("TextHead", {"head": TextHead, "backbone": TinyBackbone(hidden_size=32, num_layers=1, lora=LORA)}, True),
    ("StructureInduced", {"objectives": [StructureInduced()]}, False),
    ("StructureInduced", {"objectives": [StructureInduced()], "head": partial(TextHead, mode="free")}, False),
    ("states", {}, False),
]


@pytest.mark.parametrize(("space", "arguments", "knows_texts"), SPACES)
def test_the_part_that_is_made_for_it_embeds(space: str, arguments: dict[str, Any], knows_texts: bool) -> None:
    embedder = embedder_of(make(DiscriminativeClassifier, **arguments).eval())
    assert embedder.space == space
    rows = embedder.states(torch.randn(3, 32))
    assert np.linalg.norm(rows, axis=1).tolist() == pytest.approx([1, 1, 1], abs=1e-5)
    assert (embedder.of_texts is not None) == knows_texts
    if embedder.of_texts is not None:
        texts = embedder.of_texts(["add salt", "stir"])
        assert texts.shape == (2, rows.shape[1])
        assert texts.norm(dim=1).tolist() == pytest.approx([1, 1], abs=1e-5)


def test_a_classifier_that_writes_has_its_states() -> None:
    assert embedder_of(make(GenerativeClassifier)).space == "states"


def test_the_fingerprint_is_that_of_the_weights() -> None:
    one, same, other = (make(DiscriminativeClassifier, seed=seed) for seed in (0, 0, 1))
    assert fingerprint_of(one) == fingerprint_of(same) != fingerprint_of(other)

"""FlexAttention follows the same rule."""

from __future__ import annotations

import shutil

import pytest
import torch
from torch.nn.attention.flex_attention import create_mask

from gad_lightning.backbones.attention import visible
from gad_lightning.backbones.execution.flex import MULTIPLE, flex_mask, widen
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.types import Kind
from tests.backbones.execution.test_packing import uneven
from tests.classifiers.making import make, random_frames, schema

COMPILES = pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")


def test_the_block_masks_rule_is_that_of_the_dense_mask() -> None:
    classifier = make(DiscriminativeClassifier, schema=schema(mode="one_pass", short=6))
    tokens = classifier.render(uneven())
    wide = widen(tokens)
    assert wide.ids.shape[1] == MULTIPLE
    assert wide.query.reshape(-1)[wide.slots].tolist() == list(range(11))
    assert (wide.places.kind != Kind.PAD).sum() == (tokens.places.kind != Kind.PAD).sum()
    mask = flex_mask(wide.places, 6)
    dense = create_mask(mask.mask_mod, len(wide.ids), None, MULTIPLE, MULTIPLE, device="cpu")
    assert torch.equal(dense[:, 0], visible(wide.places, wide.places, 6))
    assert mask.shape == (6, 1, MULTIPLE, MULTIPLE)


@pytest.mark.slow  # compiles a kernel
@COMPILES
def test_one_pass_by_flex_attention_gives_the_scores_of_sdpa() -> None:
    classifier = make(DiscriminativeClassifier, schema=schema(mode="one_pass", short=6, chunk=64)).eval()
    video = random_frames(1, 150)[0]
    expected = classifier.detect(video).scores
    classifier.backbone.attention = "flex"
    torch.testing.assert_close(classifier.detect(video).scores, expected, rtol=0, atol=1e-5)

"""The paper's slot, the default."""

from __future__ import annotations

import torch

from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.prompts.slots.learned import LearnedSlot
from tests.classifiers.making import make, random_frames


def test_it_is_the_default() -> None:
    named, default = (make(GADClassifier, **more).eval() for more in ({"slot": LearnedSlot()}, {}))
    frames = random_frames(2, 6)
    assert torch.equal(named(frames), default(frames))
    assert named.backbone.new_tokens.names == ["<cls>"]

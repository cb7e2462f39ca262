"""No token of its own."""

from __future__ import annotations

import torch

from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.prompts.slots.last_visual import LastVisualSlot
from tests.classifiers.making import make, random_frames


def test_it_is_what_an_empty_opener_is() -> None:
    slot, opener = (
        make(DiscriminativeClassifier, **more).eval()
        for more in ({"slot": LastVisualSlot()}, {"prompt": Prompt(opener="")})
    )
    frames = random_frames(2, 6)
    assert torch.equal(slot(frames), opener(frames))
    assert [name for name, _ in slot.named_parameters()] == [name for name, _ in opener.named_parameters()]
    assert slot.backbone.new_tokens.names == []
    assert type(slot.slot) is type(opener.slot) is LastVisualSlot

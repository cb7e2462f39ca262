"""The asked frame, beside the learned vector."""

from __future__ import annotations

import torch

from gad_lightning.prompts.slots.anchor_frame import AnchorFrameSlot


def test_it_is_told_the_asked_frame_of_the_asked_sample() -> None:
    visual = torch.arange(12.0).view(2, 3, 2)
    shown = AnchorFrameSlot().shown(visual, torch.tensor([1, 0, 1]), torch.tensor([0, 2, 2]), window=1)
    assert shown.tolist() == [[6.0, 7.0], [4.0, 5.0], [10.0, 11.0]]

"""What every slot is."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.prompts.slots.anchor_frame import AnchorFrameSlot
from gad_lightning.prompts.slots.base import Slot
from gad_lightning.prompts.slots.last_visual import LastVisualSlot
from gad_lightning.prompts.slots.learned import LearnedSlot
from gad_lightning.prompts.slots.window_mean import WindowMeanSlot
from gad_lightning.rebuilding import rebuild


@pytest.mark.parametrize(
    ("kind", "opener", "reach"),
    [(LearnedSlot, "<cls>", 0), (LastVisualSlot, "", 0), (AnchorFrameSlot, "<cls>", 1), (WindowMeanSlot, "<cls>", 8)],
)
def test_a_slot_says_what_it_is_and_how_many_frames_it_is_told_of(kind: type[Slot], opener: str, reach: int) -> None:
    slot = kind()
    assert (slot.opener, slot.reach(8)) == (opener, reach)
    assert slot.spec() == {"class_path": f"gad_lightning.{kind.__name__}", "init_args": {}}
    assert type(rebuild(slot.spec())) is kind
    assert not list(slot.parameters())


def test_a_slot_that_reaches_nowhere_is_shown_nothing() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    with pytest.raises(NotImplementedError):
        LearnedSlot().shown(torch.zeros(1, 1, 2), none, none, 1)

"""A slot that is told what its frame looks like."""

from __future__ import annotations

from torch import Tensor

from gad_lightning.prompts.slots.base import Slot


class AnchorFrameSlot(Slot):
    """A learned vector plus the visual vector of the asked frame; of a frame of several tokens, their mean."""

    def reach(self, window: int) -> int:
        """The asked frame."""
        return 1

    def shown(self, visual: Tensor, sample: Tensor, anchor: Tensor, window: int) -> Tensor:
        """Pick the asked frames."""
        return visual[sample, anchor]

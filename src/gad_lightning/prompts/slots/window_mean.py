"""A slot that is told what its window looks like on average."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import pad

from gad_lightning.prompts.slots.base import Slot


class WindowMeanSlot(Slot):
    """A learned vector plus the mean visual vector of all frames that the slot sees.

    It is computed by running sums, which torch refuses on CUDA where ``trainer.deterministic`` is true.

    Source: Lin et al., VLog, CVPR 2025: a query made of the mean of the visual vectors is their best on COIN.
    """

    def reach(self, window: int) -> int:
        """The whole window."""
        return window

    def shown(self, visual: Tensor, sample: Tensor, anchor: Tensor, window: int) -> Tensor:
        """Average by differences of running sums, in float64: those of a long chunk would leave few digits."""
        sums = pad(visual.double().cumsum(1), (0, 0, 1, 0))
        end = anchor + 1
        first = (end - window).clamp(min=0)
        total = sums[sample, end] - sums[sample, first]
        return (total / (end - first).unsqueeze(1)).to(visual.dtype)

"""Opens where a frame's features are unlike those of the last frame that was read whole."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.streaming.gates.base import Gate, Glimpse


class FeatureChange(Gate):
    """Finds a label anew where the features have changed, by a plain rule that learns nothing.

    The change is one minus the cosine between the standardized features of the frame and those of the last one that all
    layers have read, in [0, 2].

    Args:
        least_change: from which it opens, in [0, 2].
        longest_wait: see :class:`Gate`.

    Raises:
        SettingError: if a setting is out of its range.
    """

    def __init__(self, least_change: float = 0.2, longest_wait: float = 5.0) -> None:
        super().__init__(0, longest_wait)
        if not (isinstance(least_change, int | float) and 0 <= least_change <= 2):
            raise SettingError(f"least_change lies in [0, 2], got {least_change!r}.", "0.2 opens at small changes")
        self.least_change = least_change

    def forward(self, seen: Glimpse) -> Tensor:
        """Open where the change is large enough."""
        return change(seen) >= self.least_change


def change(seen: Glimpse) -> Tensor:
    """One minus the cosine to the last frame that was read whole: (n,)."""
    return 1 - torch.cosine_similarity(seen.features.float(), seen.before.float(), dim=1)

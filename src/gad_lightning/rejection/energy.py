"""The energy of the logits."""

from __future__ import annotations

from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.rejection.base import RejectionScore


class EnergyScore(RejectionScore):
    """``-T log sum exp(logits / T)``: low where any class has a large logit.

    Args:
        temperature: T, above 0.

    Raises:
        SettingError: if the temperature is not above 0.

    Source: Liu et al., NeurIPS 2020 (arXiv 2010.03759).
    """

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        if not temperature > 0:
            raise SettingError(f"temperature of EnergyScore must be above 0, got {temperature}.", "1 is usual")
        self.temperature = temperature

    def forward(self, states: Tensor, logits: Tensor) -> Tensor:
        """(Q, H), (Q, C) -> (Q,)."""
        return -self.temperature * (logits.float() / self.temperature).logsumexp(1)

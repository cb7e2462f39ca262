"""The parallel order: the text is written beside the slot, not after it."""

from __future__ import annotations

from torch import Tensor

from gad_lightning.objectives.write_answer import WriteAnswer
from gad_lightning.types import Batch


class WriteParallel(WriteAnswer):
    """The answer stands on a branch of its own: text and slot share the trunk and do not see one another.

    Args:
        **writing: see :class:`WriteAnswer`.

    Source: Pang et al., ICLR 2026, ablation of the order; Yu et al., CoCa, TMLR 2022, whose two losses part likewise.
    """

    def text(self, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """Nothing follows the slot."""
        return None

    def apart(self, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """The answers."""
        return super().text(batch)

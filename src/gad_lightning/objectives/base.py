"""The contract of an objective."""

from __future__ import annotations

from torch import Tensor, nn

from gad_lightning.backbones.base import Backbone
from gad_lightning.parts import Part
from gad_lightning.prompts.answers import AnswerWriter, stack
from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch, Loss, Tokens


class Objective(Part, nn.Module):
    """A training-only loss: ``(batch, tokens, states) -> Loss``.

    Args:
        weight: of this loss beside the class loss of weight 1.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def prepare(self, schema: DataSchema, backbone: Backbone, prefix: str) -> None:
        """Reserve new tokens or make layers of one's own; called once, before the backbone is built.

        Args:
            schema: classes, tasks, goals.
            backbone: prepared, not built; ask it for ``hidden_size`` and ``vocabulary``.
            prefix: fixed text before a written answer.
        """

    def writer(self) -> AnswerWriter | None:
        """What this objective learns to write, if anything; at most one objective may."""
        return None

    @property
    def longest(self) -> int:
        """Most tokens of a text of this objective: what positions are kept free for."""
        writer = self.writer()
        return 0 if writer is None else writer.longest

    def wanted(self, batch: Batch) -> Tensor:
        """Which queries get an answer: (Q,) bool on the CPU."""
        return batch.uniform < 0

    def text(self, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """What stands after each opener: ids (Q, L), -1 after the end, and which are targets (Q, L).

        By default the answers of :meth:`writer` to the queries that are :meth:`wanted`.
        """
        writer = self.writer()
        return None if writer is None else stack(writer.answers(batch, self.wanted(batch)))

    def apart(self, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """Like :meth:`text`, on branches of their own that neither see the slots nor are seen by them."""
        return None

    def forward(self, batch: Batch, tokens: Tokens, states: Tensor, backbone: Backbone) -> Loss:
        """Compute the loss.

        Args:
            batch: integers on the CPU.
            tokens: on the states' device.
            states: (R, T, H) of the tokens.
            backbone: for ``token_logits``.
        """
        raise NotImplementedError

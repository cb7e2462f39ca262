"""The contract of a rejection score."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gad_lightning.errors import DataError
from gad_lightning.exact_buffers import ExactBuffers
from gad_lightning.parts import Part


class RejectionScore(Part, ExactBuffers):
    """Says how unlike the training a query is, from its slot state and logits: larger means more unknown.

    A subclass gives :meth:`forward`; one that learns from the training also gives :meth:`fit`, and keeps what it learns
    by :meth:`keep`. A checkpoint holds the settings and what is kept.
    """

    def fit(self, states: Tensor, logits: Tensor, labels: Tensor, origin: Tensor | None = None) -> None:
        """Learn from the training segments, one row each.

        Args:
            states: (n, H) mean slot states.
            logits: (n, C) mean logits.
            labels: (n,) int64 classes.
            origin: (H,) state at which the head gives no class a logit; None where that is unknown.
        """

    @abstractmethod
    def forward(self, states: Tensor, logits: Tensor) -> Tensor:
        """Score queries: states (Q, H), logits (Q, C) -> (Q,) float32, larger for what is more unknown."""

    def admit(self, states: Tensor) -> None:
        """Take further segments, (n, H), as known: those of a class that was added."""

    def keep(self, **learned: Tensor) -> None:
        """Keep tensors under names of their own, as attributes and in checkpoints, in float32."""
        for name, values in learned.items():
            self.register_buffer(name, values.detach().float().contiguous())

    def check_enough(self, count: int, needed: int) -> None:
        """Refuse to learn from too few segments.

        Raises:
            DataError: naming both numbers.
        """
        if count < needed:
            raise DataError(
                f"{type(self).__name__} wants at least {needed} training segments, and there are {count}.",
                "take another score, such as EnergyScore, which learns nothing",
            )

    def make_room(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Make room for what a checkpoint holds, by name."""
        self.keep(**{name: torch.zeros(tuple(shape)) for name, shape in shapes.items()})

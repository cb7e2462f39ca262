"""The weight of a text that follows how well it agrees with the class loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor, distributed

from gad_lightning.errors import CheckpointError
from gad_lightning.types import Loss, Tokens

EVERY = 8
"""Optimizer steps between two measurements: each costs two backward passes without the weights' gradients."""
REMEMBERED = 50
"""Measurements that the running mean goes back, about."""


class GradientAgreement:
    """Running mean of the cosine between the gradients of class loss and token loss at the input of the slot.

    A measurement counts from the optimizer step on that its batch belongs to, so that a resumed run, which does the
    batches since the last step again, counts each once.

    Source: Du et al., Adapting Auxiliary Losses Using Gradient Similarity, arXiv 1812.02224. There the cosine of
    each step weighs that step; here the running mean does.
    """

    def __init__(self) -> None:
        self.mean, self.count = 0.0, 0
        self.pending: list[float] = []

    @property
    def weight(self) -> float:
        """The running mean, 0 where it is below; measurements of this step count already."""
        return max(0.0, self._after()[0])

    def measured(self) -> list[float]:
        """What a checkpoint keeps: mean and count."""
        return [self.mean, float(self.count)]

    def take(self, measured: object) -> None:
        """Go on from what a checkpoint keeps.

        Raises:
            CheckpointError: if it is something else.
        """
        match measured:
            case [float(mean), float(count)] if -1.001 <= mean <= 1.001 and count >= 0:
                self.mean, self.count = mean, int(count)
            case _:
                raise CheckpointError(
                    f"The checkpoint is damaged: its agreement is {str(measured)[:80]!r}, no mean and count.",
                    "use the checkpoint before it",
                )

    def watched(self, tokens: Tokens, hidden_size: int, device: torch.device) -> tuple[Tokens, Tensor]:
        """Add zeros to the input of the slots, so that gradients there can be asked for: the tokens, and (Q, H)."""
        at = torch.zeros(len(tokens.slots), hidden_size, device=device, requires_grad=True)
        shown = tokens.showing(at)
        if tokens.added is not None and shown.added is not None:
            shown = shown._replace(added=shown.added + tokens.added)
        return shown, at

    def measure(self, first: Loss, second: Loss, at: Tensor, processes: int) -> None:
        """Note the cosine of the gradients of two losses, over the queries that have both; nothing if none has.

        Args:
            first: the class loss.
            second: the token loss.
            at: (Q, H) of :meth:`watched`.
            processes: that train together; the cosine is that of all their queries.
        """
        ours, theirs = (
            torch.autograd.grad(loss.sum, at, retain_graph=True, allow_unused=True, materialize_grads=True)[0].float()
            for loss in (first, second)
        )
        ours = ours * (theirs != 0).any(1, keepdim=True)
        parts = torch.stack([(ours * theirs).sum(), ours.square().sum(), theirs.square().sum()])
        if processes > 1:
            distributed.all_reduce(parts)
        dot, *squares = parts.tolist()
        size = math.sqrt(squares[0] * squares[1])
        if 0 < size < math.inf:  # also false where a gradient is nan: a mean would never forget it
            self.pending.append(dot / size)

    def step(self) -> None:
        """Let what was measured since the last optimizer step count."""
        self.mean, self.count = self._after()
        self.pending = []

    def _after(self) -> tuple[float, int]:
        """Mean and number of measurements with those of this step."""
        mean, count = self.mean, self.count
        for value in self.pending:
            count += 1
            mean += (value - mean) / min(count, REMEMBERED)
        return mean, count

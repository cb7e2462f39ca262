"""Learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR


class PaperAdamW(AdamW):
    """AdamW with the published settings.

    Args:
        params: what is trained.
        lr: learning rate.
        weight_decay: decoupled decay; the published one is none.

    Source: the published recipe (PROTOCOL, section 3).
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float = 1e-4, weight_decay: float = 0.0) -> None:
        super().__init__(params, lr=lr, weight_decay=weight_decay)


Then = Literal["cosine", "constant"]
"""What follows the warm-up."""


def scale_at(step: int, steps: int, share: float, then: Then) -> float:
    """Factor of the learning rate at a step: see :func:`warm_up`.

    Example:
        >>> [round(scale_at(step, 10, 0.2, "cosine"), 2) for step in (0, 1, 2, 6, 10)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    rising = math.ceil(steps * share)
    if step < rising:
        return step / rising
    if then == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising))))


def warm_up(optimizer: Optimizer, steps: int, share: float, then: Then) -> LambdaLR:
    """Rise linearly over the first ``share`` of ``steps``, then fall to 0 as a cosine or stay.

    Args:
        optimizer: whose learning rates are scaled.
        steps: optimizer steps of the whole run, at least 1.
        share: of the steps, in [0, 1).
        then: what follows.

    Source: the published recipe (PROTOCOL, section 3): cosine to 0, warm-up share 0.1.
    """
    return LambdaLR(optimizer, lambda step: scale_at(step, steps, share, then))

"""Learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from torch import nn
from torch.optim import AdamW

PAPER_RATE, PAPER_WIDTH = 1e-4, 2048
"""The published learning rate, and the hidden size of the language model that it is of (Llama-3.2-1B)."""
LARGEST_RATE = 3e-3


def usual_rate(hidden_size: int) -> float:
    """Learning rate for a language model of hidden size H where none is set: 0.2048 / H, from 1e-4 to 3e-3.

    That is the published 1e-4 at 2,048 and in inverse proportion to the width below, as Adam's best rate goes for the
    matrices of networks of one kind. Wider ones keep the published rate, which the paper has for 4,096 too.

    Source: 1e-4: Pang et al., ICLR 2026. 1 / width: Yang et al., Tensor Programs V (muP), NeurIPS 2021. The upper end:
    widths 64 to 96 train well at 3e-3 (experiments of this library on HAPT, IKEA ASM and drawn kitchens).

    Example:
        >>> [usual_rate(width) for width in (64, 512, 2048, 4096)]
        [0.003, 0.0004, 0.0001, 0.0001]
    """
    return min(LARGEST_RATE, max(PAPER_RATE, PAPER_RATE * PAPER_WIDTH / hidden_size))


class PaperAdamW(AdamW):
    """AdamW with the published settings.

    Args:
        params: what is trained.
        lr: learning rate. None lets the classifier choose it by the hidden size H of its language model: 0.2048 / H,
            at least 1e-4 and at most 3e-3; without a classifier it is the published 1e-4.
        weight_decay: decoupled decay; the published one is none.

    Source: the published recipe of Pang et al., ICLR 2026.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float | None = None, weight_decay: float = 0.0) -> None:
        super().__init__(params, lr=PAPER_RATE if lr is None else lr, weight_decay=weight_decay)
        self.rate_is_open = lr is None

    def choose_rate(self, lr: float) -> None:
        """Take this learning rate in place of the one left open."""
        self.rate_is_open = False
        self.defaults["lr"] = lr
        for group in self.param_groups:
            group["lr"] = lr


Then = Literal["cosine", "constant"]
"""What follows the warm-up."""


def scale_at(step: int, steps: int, share: float, then: Then) -> float:
    """Factor of the learning rate at a step: it rises linearly at first, then falls to 0 as a cosine or stays at 1.

    Args:
        step: from 0.
        steps: optimizer steps of the whole run, at least 1.
        share: fraction of the steps over which it rises, in [0, 1).
        then: what follows.

    Source: the published recipe of Pang et al., ICLR 2026: cosine to 0 after a warm-up of 0.1.

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

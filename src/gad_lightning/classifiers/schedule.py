"""Learning-rate schedules."""

from __future__ import annotations

import math
from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warm_up(optimizer: Optimizer, steps: int, share: float, then: Literal["cosine", "constant"]) -> LambdaLR:
    """Rise linearly over the first ``share`` of ``steps``, then fall to 0 as a cosine or stay.

    Args:
        optimizer: whose learning rates are scaled.
        steps: optimiser steps of the whole run, at least 1.
        share: of the steps, in [0, 1).
        then: what follows.

    Source: the published recipe (PROTOCOL, section 3): cosine to 0, warm-up share 0.1.
    """
    rising = math.ceil(steps * share)

    def scale(step: int) -> float:
        if step < rising:
            return step / rising
        if then == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising))))

    return LambdaLR(optimizer, scale)

"""Scores that change little from frame to frame: fewer shattered segments."""

from __future__ import annotations

import math
from typing import ClassVar

from torch import Tensor

from gad_lightning.backbones.base import Backbone
from gad_lightning.errors import SettingError
from gad_lightning.objectives.base import ClassObjective
from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch, Loss


class TruncatedSmoothing(ClassObjective):
    """Mean squared difference of the log-probabilities of neighboring frames; large differences count as ``most``.

    So scores may jump where an action ends, and flicker costs. It acts in training alone, and needs neighbors that are
    asked together, as in one pass. The frame before is a constant: gradients reach the later one only.

    Args:
        most: largest difference of a log-probability that counts, above 0.
        weight: of this loss beside the class loss of weight 1.

    Raises:
        SettingError: if ``most`` is out of range, or in window mode, where no neighbors are asked together.

    Source: Abu Farha and Gall, MS-TCN, CVPR 2019, section 3.3: T-MSE with tau 4 and lambda 0.15.
    """

    name: ClassVar[str] = "smoothing"

    def __init__(self, most: float = 4.0, weight: float = 0.15) -> None:
        super().__init__(weight)
        if not 0 < most < math.inf:
            raise SettingError(f"most of TruncatedSmoothing must be above 0, got {most}.", "4 is published")
        self.most = most

    def prepare(self, schema: DataSchema, backbone: Backbone, prefix: str) -> None:
        """See that there are neighbors."""
        if schema.windows.mode != "one_pass":
            raise SettingError(
                "TruncatedSmoothing compares frames that follow one another, and in window mode each query is a sample "
                "of its own.",
                "set data.mode to one_pass, or leave the objective out",
            )

    def of_scores(self, batch: Batch, scores: Tensor) -> Loss:
        """Compare each query with that about the frame before."""
        before, after = (rows.to(scores.device) for rows in neighbors(batch))
        known = ~scores.isneginf()[after]  # a task may have fewer classes than another
        finite = scores.masked_fill(scores.isneginf(), 0.0)
        change = (finite[after] - finite[before].detach()).abs().clamp(max=self.most)
        each = (change.square() * known).sum(1) / known.sum(1).clamp(min=1)
        return Loss(each.sum(), each.new_tensor(float(len(each))))


def neighbors(batch: Batch) -> tuple[Tensor, Tensor]:
    """Find the pairs of queries that ask the same of two frames in a row of one sample: rows (n,) and rows (n,).

    Returns:
        The queries about the earlier frames, and those about the later ones, on the CPU.
    """
    keys = (batch.sample, batch.task, batch.horizon)
    order = batch.frame.argsort(stable=True)
    for key in keys:
        order = order[key[order].argsort(stable=True)]
    before, after = order[:-1], order[1:]
    alike = batch.frame[after] == batch.frame[before] + 1
    for key in keys:
        alike &= key[after] == key[before]
    return before[alike], after[alike]

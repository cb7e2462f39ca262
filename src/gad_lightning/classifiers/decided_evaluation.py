"""What a calibrated classifier's decisions do, as metrics of a validation or test run."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gad_lightning.decisions.observed import Observed
from gad_lightning.decisions.outcome import outcome_of
from gad_lightning.decisions.path import Decisions
from gad_lightning.metrics.frame_metric import FrameMetric
from gad_lightning.results.several import truths_of
from gad_lightning.types import Predictions


class DecidedEvaluation(FrameMetric):
    """Decides the videos of one task when it computes, exact on any number of processes.

    Args:
        number: index of the task in the schema.
        made: its decisions.
    """

    scores: list[Tensor]
    truth: list[Tensor]
    unknown: list[Tensor]

    def __init__(self, number: int, made: Decisions) -> None:
        classes = len(made.labels.names)
        super().__init__(classes, background=None, gaps="cut")
        self.number, self.made = number, made
        self.add_rows("scores", torch.float32, classes)
        self.add_rows("truth", torch.int8, classes)
        self.add_rows("unknown", torch.uint8, 1)

    def update(self, predictions: Predictions) -> None:
        """Add the queries of the task, with log-probabilities and what was rejected."""
        asked = (predictions.task == self.number).nonzero().squeeze(1)
        size = self.classes.num_classes
        columns = {
            "scores": predictions.scores[:, :size],
            "truth": truths_of(predictions.target, size),
            "unknown": predictions.unknown.unsqueeze(1),
            "video": predictions.video,
            "frame": predictions.frame,
        }
        self.append(**{name: column[asked.to(column.device)] for name, column in columns.items()})

    def compute(self) -> dict[str, Tensor]:
        """Values by name, see :func:`~gad_lightning.decisions.outcome.outcome_of`: () float32; none without truth.

        Raises:
            DataError: if a score is NaN.
        """
        order = self.order()
        scores, unknown = order.largest(self.rows("scores")), order.largest(self.rows("unknown"))[:, 0]
        truth = order.agreed(self.rows("truth"), "targets")
        seen = Observed(
            scores.double().cpu().numpy(),
            truth.cpu().numpy(),
            np.unique(order.video.cpu().numpy(), return_inverse=True)[1].astype(np.int64),
            order.frame.cpu().numpy(),
            self.made.labels,
            self.made.fps,
            unknown.bool().cpu().numpy(),
        )
        if not seen.known.any():
            return {}
        values = outcome_of(seen.checked(), self.made)
        return {name: torch.tensor(value, device=self.device) for name, value in values.items()}

"""Expected calibration error of the labels' probabilities."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gad_lightning.metrics.frame_metric import FrameMetric
from gad_lightning.metrics.functional.calibration import (
    CalibrationDetails,
    calibration_details,
    check_num_bins,
    confidences,
)
from gad_lightning.metrics.functional.frames import video_breaks
from gad_lightning.metrics.functional.labels import check_keys, check_score_rows


class CalibrationError(FrameMetric):
    """Mean gap between the confidence of the best class and the accuracy, in [0, 1]; ``nan`` when no frame is scored.

    Frames are put into ``num_bins`` bins of equal width by confidence; the error is the mean over frames of the gap
    of their bin. Only confidence and label are kept, not the scores. Repeats of a frame may differ by rounding
    (1 %), the larger confidence counts, and of two labels the lower.

    Args:
        num_classes: number of classes ``C``, background included.
        num_bins: number of bins.
        ignore_index: label whose true frames are left out, or None.
        **frames: ``gaps``, see :class:`~gad_lightning.FrameMetric`.

    Raises:
        SettingError: if a setting is out of its range.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.

    Example:
        >>> metric = CalibrationError(num_classes=2)
        >>> frames = torch.arange(2)
        >>> metric(torch.tensor([[0.75, 0.25], [0.75, 0.25]]), torch.tensor([0, 1]), frames * 0, frames)
        tensor(0.2500)
    """

    higher_is_better = False

    preds: list[Tensor]
    target: list[Tensor]
    confidence: list[Tensor]

    def __init__(self, num_classes: int, num_bins: int = 15, ignore_index: int | None = None, **frames: Any) -> None:
        super().__init__(num_classes, background=None, ignore_index=ignore_index, **frames)
        check_num_bins(num_bins)
        self.num_bins = num_bins
        self.add_rows("preds", torch.int32)
        self.add_rows("target", torch.int32)
        self.add_rows("confidence", torch.float32)

    def update(self, scores: Tensor, target: Tensor, video: Tensor, frame: Tensor) -> None:
        """Add frames, in any order and batching.

        Args:
            scores: (N, C) probabilities or log-probabilities.
            target: (N,) integer, true class.
            video: (N,) integer, number of the video, the same in every process.
            frame: (N,) integer, number of the frame within its video.

        Raises:
            DataError: on another type or shape, a label that is no class, raw logits, or a readout without scores.
        """
        target = self.classes.check(target, "target")
        check_score_rows(scores, len(target), self.classes.num_classes)
        check_keys(video, frame, len(scores))
        label, confidence = confidences(scores)
        self.append(preds=label, target=target, confidence=confidence, video=video, frame=frame)

    def compute(self) -> Tensor:
        """Expected calibration error: () float32."""
        return self._details()["error"].to(self.device)

    def details(self) -> CalibrationDetails:
        """The "error", and of each bin (num_bins,) mean "confidence", "accuracy" and the number of "frames"."""
        details: CalibrationDetails = super().details()
        return details

    def _details(self) -> CalibrationDetails:
        order = self.order()
        video_breaks(order.video, order.frame, self.gaps)
        confidence = order.close(self.rows("confidence"), "confidence")
        preds, target = order.smallest(self.rows("preds")), order.agreed(self.rows("target"), "targets")
        return calibration_details(confidence, preds, target, self.classes, self.num_bins)

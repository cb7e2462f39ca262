"""The curve of detection delay and recall against false alarms an hour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gad_lightning.errors import DataError, SettingError
from gad_lightning.metrics.frame_metric import LabelMetric
from gad_lightning.metrics.functional.alarm_curve import THRESHOLDS, Curve, alarm_curve
from gad_lightning.metrics.functional.frames import FrameTable
from gad_lightning.metrics.functional.labels import check_frames
from gad_lightning.metrics.functional.point_f1 import check_fps


class AlarmCurve(LabelMetric):
    """False alarms an hour, recall and median delay at every threshold on the probability of the predicted class.

    A frame shows its predicted class where the probability reaches the threshold, else nothing. Alarms, recall and
    delay are counted as by :class:`~gad_lightning.FalseAlarmsPerHour` and :class:`~gad_lightning.DetectionDelay`.

    Args:
        num_classes: number of classes ``C``, background included.
        fps: frames a second.
        thresholds: T of them, ascending in [0, 1].
        background: class index that is no action, or None.
        ignore_index: label whose true frames are not scored, or None; they end a segment.
        **frames: ``gaps`` and ``conflicts``, see :class:`~gad_lightning.FrameMetric`.

    Raises:
        SettingError: if a setting is out of its range.

    Example:
        >>> metric, frames = AlarmCurve(num_classes=2, fps=4, thresholds=[0.5, 0.8]), torch.arange(4)
        >>> score, preds, truth = torch.tensor([0.6, 0.9, 0.7, 0.9]), torch.tensor([1, 0, 1, 1]), frames // 2
        >>> metric.update(score, preds, truth, frames * 0, frames)
        >>> found = metric.compute()
        >>> found.alarms.tolist(), found.recall.tolist(), found.delay.tolist()
        ([3600.0, 0.0], [1.0, 1.0], [0.0, 0.25])
    """

    score: list[Tensor]

    def __init__(
        self,
        num_classes: int,
        *,
        fps: float,
        thresholds: Sequence[float] = THRESHOLDS,
        background: int | None = 0,
        ignore_index: int | None = None,
        **frames: Any,
    ) -> None:
        super().__init__(num_classes, background=background, ignore_index=ignore_index, **frames)
        check_fps(fps)
        self.fps, self.thresholds = fps, _checked(thresholds)
        self.add_rows("score", torch.float32)

    def update(  # type: ignore[override]  # the probability comes first
        self, score: Tensor, preds: Tensor, target: Tensor, video: Tensor, frame: Tensor
    ) -> None:
        """Add frames, in any order and batching.

        Args:
            score: (N,) float, probability of the predicted class, in [0, 1].
            preds: (N,) integer, predicted class of each frame.
            target: (N,) integer, true class.
            video: (N,) integer, number of the video, the same in every process.
            frame: (N,) integer, number of the frame within its video.

        Raises:
            DataError: on another type or shape, a label that is no class, or a score outside [0, 1].
        """
        check_frames(preds, target, video, frame, self.classes)
        if score.shape != preds.shape or not bool(((score >= 0) & (score <= 1 + 1e-6)).all()):
            raise DataError(
                f"score is one probability a frame, in [0, 1]; got {tuple(score.shape)} for {len(preds)} frames.",
                "pass the probability of the predicted class, such as Predictions.scores.exp().amax(1)",
            )
        self.append(score=score, preds=preds, target=target, video=video, frame=frame)

    def compute(self) -> Curve:
        """The T operating points."""
        order, table = self.order(), self.table()
        score = order.close(self.rows("score"), "scores")
        hours = int(self.classes.scored(table.target).sum()) / (self.fps * 3600)

        def shown(threshold: float) -> FrameTable:
            """What the threshold leaves; below it there is no class."""
            return table._replace(preds=table.preds.masked_fill(score < threshold, self.classes.num_classes))

        return alarm_curve(self.thresholds, shown, self.classes, self.fps, hours)


def _checked(thresholds: Sequence[float]) -> tuple[float, ...]:
    """Return thresholds that ascend in [0, 1].

    Raises:
        SettingError: if they do not.
    """
    given = tuple(map(float, thresholds))
    if not given or list(given) != sorted(set(given)) or not (given[0] >= 0 and given[-1] <= 1):
        raise SettingError(
            f"thresholds are {list(given)}.",
            "give one or more probabilities from 0 to 1, in ascending order",
        )
    return given

"""Detection delay and false alarms: what a live product feels like."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gad_lightning.metrics.frame_metric import LabelMetric
from gad_lightning.metrics.functional.detection_delay import (
    DelayDetails,
    Detections,
    alarms_per_hour,
    delay_details,
    detections,
    mean_delay,
)
from gad_lightning.metrics.functional.point_f1 import check_fps


class DetectionMetric(LabelMetric):
    """What the two metrics of this file share.

    Args:
        num_classes: number of classes ``C``, background included.
        fps: frames a second.
        background: class index that is no action, or None.
        ignore_index: label whose true frames are not scored, or None; they end a segment.
        **frames: ``gaps`` and ``conflicts``, see :class:`~gad_lightning.FrameMetric`.

    Raises:
        SettingError: if a setting is out of its range.
    """

    higher_is_better = False
    plot_upper_bound = None

    def __init__(
        self,
        num_classes: int,
        *,
        fps: float,
        background: int | None = 0,
        ignore_index: int | None = None,
        **frames: Any,
    ) -> None:
        super().__init__(num_classes, background=background, ignore_index=ignore_index, **frames)
        check_fps(fps)
        self.fps = fps

    def details(self) -> DelayDetails:
        """Mean, median and 90th percentile of the delay, the share missed, false alarms; delay and misses per class."""
        details: DelayDetails = super().details()
        return details

    def _details(self) -> DelayDetails:
        return delay_details(self._detections(), self.classes, self.fps)

    def _detections(self) -> Detections:
        return detections(self.table(), self.classes)


class DetectionDelay(DetectionMetric):
    """Mean seconds from the first frame of a true segment to its first frame that is labeled right, 0 or more.

    Only segments that are found count; ``nan`` when none is. ``details()`` has the share that never is ("missed") and
    the false alarms an hour. A label that was right before the segment began and stays has delay 0. The
    frames that a distributed sampler repeats are counted once.

    Args:
        num_classes: number of classes ``C``, background included.
        fps: frames a second.
        background: class index that is no action, or None.
        ignore_index: label whose true frames are not scored, or None; they end a segment.
        **frames: ``gaps`` and ``conflicts``, see :class:`~gad_lightning.FrameMetric`.

    Raises:
        SettingError: if a setting is out of its range.

    Example:
        >>> import torch
        >>> metric = DetectionDelay(num_classes=2, fps=4)
        >>> frames = torch.arange(4)
        >>> metric(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1]), frames * 0, frames)
        tensor(0.2500)
    """

    def compute(self) -> Tensor:
        """Mean delay in seconds: () float32."""
        return mean_delay(self._detections(), self.fps).to(self.device)


class FalseAlarmsPerHour(DetectionMetric):
    """Predicted segments without one right frame, per hour of scored video, 0 or more; ``nan`` without such video.

    Each predicted segment is an alarm. It is false if none of its frames is labeled right, unless the truth of
    all of them is ignored.

    Args:
        num_classes: number of classes ``C``, background included.
        fps: frames a second.
        background: class index that is no action, or None.
        ignore_index: label whose true frames are not scored, or None.
        **frames: ``gaps`` and ``conflicts``, see :class:`~gad_lightning.FrameMetric`.

    Raises:
        SettingError: if a setting is out of its range.

    Example:
        >>> import torch
        >>> metric = FalseAlarmsPerHour(num_classes=3, fps=4)
        >>> frames = torch.arange(4)
        >>> metric(torch.tensor([0, 2, 1, 1]), torch.tensor([0, 1, 1, 1]), frames * 0, frames)
        tensor(3600.)
    """

    def compute(self) -> Tensor:
        """False alarms an hour: () float32."""
        return alarms_per_hour(self._detections(), self.fps).to(self.device)

"""Risk: the mean over videos of what each loses, to be held against the level that was stated."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gad_lightning.metrics.frame_metric import LabelMetric
from gad_lightning.metrics.functional.detection_delay import detections
from gad_lightning.metrics.functional.point_f1 import check_fps
from gad_lightning.metrics.functional.video_means import RiskOf, check_risk, video_losses


class VideoRisk(LabelMetric):
    """Mean loss of a video, which :class:`~gad_lightning.RiskControl` keeps at or below its level, 0 or more.

    ``missed`` is the share of a video's true segments that are never found, 0 in a video without one;
    ``false_alarms`` are a video's false alarms an hour, cut off at ``largest``. Videos without a frame of known truth
    are left out; ``nan`` if there is no other.

    Args:
        num_classes: number of classes ``C``, background included.
        fps: frames a second.
        loss: ``missed`` or ``false_alarms``.
        largest: loss at which a video's loss is cut off; 1 for ``missed``.
        background: class index that is no action, or None.
        ignore_index: label whose true frames are not scored, or None; they end a segment.
        **frames: ``gaps`` and ``conflicts``, see :class:`~gad_lightning.FrameMetric`.

    Raises:
        SettingError: if a setting is out of its range.

    Source: Angelopoulos et al., Conformal Risk Control, arXiv 2208.02814.

    Example:
        >>> metric, frames = VideoRisk(num_classes=2, fps=4), torch.arange(4)
        >>> metric(torch.tensor([0, 0, 0, 1]), torch.tensor([1, 0, 0, 1]), frames * 0, frames)
        tensor(0.5000)
    """

    higher_is_better = False

    def __init__(
        self,
        num_classes: int,
        *,
        fps: float,
        loss: RiskOf = "missed",
        largest: float = 1.0,
        background: int | None = 0,
        ignore_index: int | None = None,
        **frames: Any,
    ) -> None:
        super().__init__(num_classes, background=background, ignore_index=ignore_index, **frames)
        check_fps(fps)
        check_risk(loss, largest)
        self.fps, self.largest = fps, largest
        self.loss: RiskOf = loss

    def compute(self) -> Tensor:
        """Mean loss: () float32."""
        return self._details()["loss"].nanmean().float().to(self.device)

    def details(self) -> dict[str, Tensor]:
        """Of each of the V videos its number "video" and its "loss": (V,), ``nan`` where no truth is known."""
        details: dict[str, Tensor] = super().details()
        return details

    def _details(self) -> dict[str, Tensor]:
        table = self.table()
        found = detections(table, self.classes)
        number, place = table.video.cpu().unique(return_inverse=True)
        known = self.classes.scored(table.target).cpu()
        frames, segments, missed, alarms = (
            torch.bincount(place[rows], minlength=len(number))
            for rows in (known, found.start, found.start[found.delay < 0], found.alarm_start)
        )
        losses = video_losses(self.loss, missed, segments, alarms, frames / (self.fps * 3600))
        return {"video": number, "loss": torch.where(frames > 0, losses.clamp(max=self.largest), torch.nan)}

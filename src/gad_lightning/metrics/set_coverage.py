"""Coverage and size of label sets, counted by video."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gad_lightning.errors import DataError
from gad_lightning.metrics.frame_metric import FrameMetric
from gad_lightning.metrics.functional.labels import check_keys
from gad_lightning.metrics.functional.video_means import video_means


class SetCoverage(FrameMetric):
    """How often label sets hold the true label, and how many labels they have: means over videos of their frames'.

    A video counts as one, however long it is, as the promise of :class:`~gad_lightning.ConformalLabels` is of a random
    frame of a new video. Frames of unknown truth are left out, and videos without any other.

    Args:
        num_classes: number of classes ``C``, background included.
        ignore_index: label whose true frames are left out, or None.
        **frames: ``gaps``, see :class:`~gad_lightning.FrameMetric`.

    Raises:
        SettingError: if a setting is out of its range.

    Example:
        >>> metric, frames = SetCoverage(num_classes=2), torch.arange(2)
        >>> sets = torch.tensor([[True, True], [True, False]])
        >>> metric(sets, torch.tensor([1, 1]), frames * 0, frames)
        {'coverage': tensor(0.5000), 'set_size': tensor(1.5000)}
    """

    sets: list[Tensor]
    target: list[Tensor]

    def __init__(self, num_classes: int, ignore_index: int | None = None, **frames: Any) -> None:
        super().__init__(num_classes, background=None, ignore_index=ignore_index, **frames)
        self.add_rows("sets", torch.uint8, num_classes)
        self.add_rows("target", torch.int32)

    def update(self, sets: Tensor, target: Tensor, video: Tensor, frame: Tensor) -> None:
        """Add frames, in any order and batching.

        Args:
            sets: (N, C) bool, the labels in each frame's set.
            target: (N,) integer, true class.
            video: (N,) integer, number of the video, the same in every process.
            frame: (N,) integer, number of the frame within its video.

        Raises:
            DataError: on another type or shape, or a label that is no class.
        """
        target = self.classes.check(target, "target")
        if sets.dtype != torch.bool or tuple(sets.shape) != (len(target), self.classes.num_classes):
            raise DataError(
                f"sets are {tuple(sets.shape)} {str(sets.dtype).removeprefix('torch.')}, and there are {len(target)} "
                f"targets of {self.classes.num_classes} classes.",
                "pass (N, C) bool, such as ConformalLabels gives",
            )
        check_keys(video, frame, len(target))
        self.append(sets=sets, target=target, video=video, frame=frame)

    def compute(self) -> dict[str, Tensor]:
        """Means over videos, ``coverage`` and ``set_size``: () float32 each, ``nan`` without a video."""
        found = self._details()
        return {name: found[name].nanmean().float().to(self.device) for name in ("coverage", "set_size")}

    def details(self) -> dict[str, Tensor]:
        """Of each of the V videos its number "video", "coverage" and "set_size": (V,), ``nan`` where nothing counts."""
        details: dict[str, Tensor] = super().details()
        return details

    def _details(self) -> dict[str, Tensor]:
        order = self.order()
        sets = order.agreed(self.rows("sets"), "sets").bool().cpu()
        target = order.agreed(self.rows("target"), "targets").long().cpu()
        known = self.classes.scored(target)
        held = sets.gather(1, target.clamp(0, self.classes.num_classes - 1).unsqueeze(1)).squeeze(1)
        number, place = order.video.cpu().unique(return_inverse=True)
        count = len(number)
        return {
            "video": number,
            "coverage": video_means(held.double(), known, place, count),
            "set_size": video_means(sets.sum(1).double(), known, place, count),
        }

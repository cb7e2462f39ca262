"""Top-1 and Top-k accuracy of frames."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.metrics.frame_metric import FrameMetric, LabelMetric
from gad_lightning.metrics.functional.accuracy import (
    AccuracyDetails,
    FrameAverage,
    FrameCounts,
    accuracy_details,
    averaged_accuracy,
    frame_counts,
    rank_of_target,
    top_k_counts,
)
from gad_lightning.metrics.functional.f1 import ratio
from gad_lightning.metrics.functional.frames import check_option, video_breaks
from gad_lightning.metrics.functional.labels import check_keys, check_score_rows


class Top1(LabelMetric):
    """Share of frames that are labeled right, in [0, 1]; ``nan`` when no frame is scored.

    Background frames count like any other; frames whose truth is ignored are left out. The frames that a
    distributed sampler repeats are counted once.

    Args:
        num_classes: number of classes ``C``, background included.
        background: class index that ``details()`` tells apart from the foreground, or None.
        average: ``"micro"`` over frames, or ``"macro"``: the mean over the classes that occur in the truth.
        ignore_index: label whose true frames are left out, or None.
        **frames: ``gaps`` and ``conflicts``, see :class:`~gad_lightning.FrameMetric`.

    Raises:
        SettingError: if a setting is out of its range.

    Source: the public code of Pang et al., On Discriminative vs. Generative Classifier, ICLR 2026 (frame accuracy).

    Example:
        >>> metric = Top1(num_classes=3)
        >>> frames = torch.arange(4)
        >>> metric(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2]), frames * 0, frames)
        tensor(0.7500)
    """

    def __init__(
        self,
        num_classes: int,
        background: int | None = 0,
        average: FrameAverage = "micro",
        ignore_index: int | None = None,
        **frames: Any,
    ) -> None:
        super().__init__(num_classes, background=background, ignore_index=ignore_index, **frames)
        check_option("average", average, FrameAverage)
        self.average: FrameAverage = average

    def compute(self) -> Tensor:
        """Accuracy: () float32."""
        table = self.table()
        return averaged_accuracy(frame_counts(table.preds, table.target, self.classes), self.average).to(self.device)

    def details(self) -> AccuracyDetails:
        """Accuracy, recall and precision of fore- and background, means over classes, and "per_class" (C,)."""
        details: AccuracyDetails = super().details()
        return details

    def _details(self) -> AccuracyDetails:
        table = self.table()
        return accuracy_details(table.preds, table.target, self.classes)


class TopK(FrameMetric):
    """Share of frames whose class is among the best ``k``, in [0, 1]; ``nan`` when no frame is scored.

    Equal scores are ordered by class index, so ``k=1`` is what the first-best label gives. Only the rank of the true
    class is kept, not the scores. If a repeated frame has another rank by rounding, the best counts.

    Args:
        num_classes: number of classes ``C``, background included.
        k: how many classes may be named.
        average: ``"micro"`` over frames, or ``"macro"``: the mean over the classes that occur in the truth.
        ignore_index: label whose true frames are left out, or None.
        **frames: ``gaps``, see :class:`~gad_lightning.FrameMetric`.

    Raises:
        SettingError: if a setting is out of its range.

    Example:
        >>> metric = TopK(num_classes=3, k=2)
        >>> frames = torch.arange(2)
        >>> scores = torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
        >>> metric(scores, torch.tensor([1, 2]), frames * 0, frames)
        tensor(0.5000)
    """

    target: list[Tensor]
    rank: list[Tensor]

    def __init__(
        self,
        num_classes: int,
        k: int = 5,
        average: FrameAverage = "micro",
        ignore_index: int | None = None,
        **frames: Any,
    ) -> None:
        super().__init__(num_classes, background=None, ignore_index=ignore_index, **frames)
        check_option("average", average, FrameAverage)
        if k < 1:
            raise SettingError(f"k is {k}.", "give 1 class or more")
        self.k = k
        self.average: FrameAverage = average
        self.add_rows("target", torch.int32)
        self.add_rows("rank", torch.int32)

    def update(self, scores: Tensor, target: Tensor, video: Tensor, frame: Tensor) -> None:
        """Add frames, in any order and batching.

        Args:
            scores: (N, C) float and finite, the higher the likelier.
            target: (N,) integer, true class.
            video: (N,) integer, number of the video, the same in every process.
            frame: (N,) integer, number of the frame within its video.

        Raises:
            DataError: on another type or shape, a label that is no class, or a readout without scores.
        """
        target = self.classes.check(target, "target")
        check_score_rows(scores, len(target), self.classes.num_classes)
        check_keys(video, frame, len(scores))
        self.append(target=target, rank=rank_of_target(scores, target), video=video, frame=frame)

    def compute(self) -> Tensor:
        """Top-k accuracy: () float32."""
        return averaged_accuracy(self._counts(), self.average).to(self.device)

    def details(self) -> dict[str, Tensor]:
        """Accuracy, mean over classes, and "per_class" and "frames", (C,)."""
        details: dict[str, Tensor] = super().details()
        return details

    def _details(self) -> dict[str, Tensor]:
        counts = self._counts()
        return {
            "accuracy": averaged_accuracy(counts),
            "mean_class_accuracy": averaged_accuracy(counts, "macro"),
            "per_class": ratio(counts.hits, counts.true).float(),
            "frames": counts.true,
        }

    def _counts(self) -> FrameCounts:
        order = self.order()
        video_breaks(order.video, order.frame, self.gaps)
        target = order.agreed(self.rows("target"), "targets")
        return top_k_counts(order.smallest(self.rows("rank")), target, self.k, self.classes)

"""Point F1: do actions begin when they are said to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from gad_lightning.metrics.frame_metric import LabelMetric
from gad_lightning.metrics.functional.f1 import Average, F1Details, check_class_counts, f1_details
from gad_lightning.metrics.functional.frames import check_option
from gad_lightning.metrics.functional.labels import Ignored
from gad_lightning.metrics.functional.point_f1 import Reference, check_points, point_counts


class PointF1(LabelMetric):
    """F1 over the starts of segments, in [0, 1]; 0 when neither side has a segment.

    Predicted starts are taken in time order. One is right if the nearest true start of its video, whatever the class
    (the earlier of two equally near), is at most ``tolerance_seconds * fps`` frames away, has its class and is not
    yet matched. So a start of the right class is not found if one of another class is nearer. The frames that
    a distributed sampler repeats are counted once.

    Args:
        num_classes: number of classes ``C``, background included.
        tolerance_seconds: largest distance that counts as a match, inclusive, 0 or more.
        fps: frames a second.
        background: class index that is no action, or None.
        average: ``"micro"``, ``"macro"`` or ``"macro_all"``, as in :class:`~gad_lightning.SegmentF1`.
        reference: ``"start"``; ``"middle"`` of the segment as published, half a frame early for a segment that
            reaches the end of its video; or ``"true_middle"``, the same for all segments.
        ignore_index: label of frames that are not scored, or None.
        class_counts: (C,) how often each class occurs in training, as in :class:`~gad_lightning.SegmentF1`.
        ignored_frames: ``"cut"`` or ``"published"``, as in :class:`~gad_lightning.SegmentF1`.
        **frames: ``gaps`` and ``conflicts``, see :class:`~gad_lightning.FrameMetric`.

    Raises:
        SettingError: if a setting is out of its range.

    Source: Shou et al., Online Detection of Action Start, ECCV 2018, for the task; the rule is that of the public code
    of Pang et al., On Discriminative vs. Generative Classifier, ICLR 2026.

    Example:
        >>> import torch
        >>> metric = PointF1(num_classes=3, tolerance_seconds=0.5, fps=2)
        >>> frames = torch.arange(6)
        >>> metric(torch.tensor([0, 1, 1, 0, 2, 2]), torch.tensor([1, 1, 1, 1, 0, 2]), frames * 0, frames)
        tensor(1.)
    """

    def __init__(
        self,
        num_classes: int,
        tolerance_seconds: float = 1.0,
        *,
        fps: float,
        background: int | None = 0,
        average: Average = "micro",
        reference: Reference = "start",
        ignore_index: int | None = None,
        class_counts: Sequence[int] | None = None,
        ignored_frames: Ignored = "cut",
        **frames: Any,
    ) -> None:
        super().__init__(num_classes, background=background, ignore_index=ignore_index, **frames)
        check_points(tolerance_seconds, fps, reference)
        check_option("average", average, Average)
        check_option("ignored_frames", ignored_frames, Ignored)
        check_class_counts(class_counts, num_classes)
        self.tolerance_frames = tolerance_seconds * fps
        self.average: Average = average
        self.reference: Reference = reference
        self.ignored_frames: Ignored = ignored_frames
        self.class_counts = class_counts

    def compute(self) -> Tensor:
        """F1: () float32."""
        return self._details()["f1"].to(self.device)

    def details(self) -> F1Details:
        """F1, precision, recall and the counts tp, fp, fn; the same "per_class" (C,) and by frequency in "bands"."""
        details: F1Details = super().details()
        return details

    def _details(self) -> F1Details:
        counts = point_counts(self.table(), self.classes, self.tolerance_frames, self.reference, self.ignored_frames)
        return f1_details(counts, self.classes, self.average, self.class_counts)

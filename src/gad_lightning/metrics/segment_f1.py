"""Segment F1: are the right actions found, in the right order and place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from gad_lightning.metrics.frame_metric import LabelMetric
from gad_lightning.metrics.functional.f1 import Average, F1Details, check_class_counts, f1_details
from gad_lightning.metrics.functional.frames import check_option
from gad_lightning.metrics.functional.labels import Ignored
from gad_lightning.metrics.functional.segment_f1 import check_overlap, segment_counts


class SegmentF1(LabelMetric):
    """F1 over matched segments, in [0, 1]; 0 when neither side has a segment.

    A segment is a run of one class that is neither background nor ignored. Predicted segments are taken in time order.
    One is right if the true segment of its class that it overlaps most (the first of two equal ones) has an IoU of
    at least ``overlap`` and is not yet matched; there is no second choice. The frames that a
    distributed sampler repeats are counted once.

    Args:
        num_classes: number of classes ``C``, background included.
        background: class index that separates segments and is never one itself, or None.
        overlap: smallest temporal IoU, in (0, 1], that counts as a match.
        average: ``"micro"`` over all segments; ``"macro"``, the mean over the classes that occur in truth or
            prediction; ``"macro_all"``, the published mean over all classes, absent ones counting as 0.
        ignore_index: label of frames that are not scored (in THUMOS'14 "ambiguous"), or None.
        ignored_frames: ``"cut"`` takes the frames whose truth is ignored out of truth and prediction before segments
            are made, so that nothing said of them counts. ``"published"`` treats them as background: they cut a true
            segment in two, a prediction over them is not cut, and one within them is wrong.
        class_counts: (C,) how often each class occurs in training, for ``details()["bands"]``: micro scores over the
            classes seen more than 100 times ("many"), 20 to 100 ("medium"), 1 to 19 ("few") and never ("unseen").
        **frames: ``gaps`` and ``conflicts``, see :class:`~gad_lightning.FrameMetric`.

    Raises:
        SettingError: if a setting is out of its range.

    Source: Lea et al., Temporal Convolutional Networks, CVPR 2017 (segmental F1).

    Example:
        >>> import torch
        >>> metric = SegmentF1(num_classes=3, overlap=0.5)
        >>> frames = torch.arange(6)
        >>> metric(torch.tensor([0, 1, 1, 0, 2, 2]), torch.tensor([0, 1, 1, 1, 0, 2]), frames * 0, frames)
        tensor(1.)
    """

    def __init__(
        self,
        num_classes: int,
        background: int | None = 0,
        overlap: float = 0.1,
        average: Average = "micro",
        ignore_index: int | None = None,
        class_counts: Sequence[int] | None = None,
        ignored_frames: Ignored = "cut",
        **frames: Any,
    ) -> None:
        super().__init__(num_classes, background=background, ignore_index=ignore_index, **frames)
        check_overlap(overlap)
        check_option("ignored_frames", ignored_frames, Ignored)
        check_option("average", average, Average)
        check_class_counts(class_counts, num_classes)
        self.overlap = overlap
        self.ignored_frames: Ignored = ignored_frames
        self.average: Average = average
        self.class_counts = class_counts

    def compute(self) -> Tensor:
        """F1: () float32."""
        return self._details()["f1"].to(self.device)

    def details(self) -> F1Details:
        """F1, precision, recall and the counts tp, fp, fn; the same "per_class" (C,) and by frequency in "bands"."""
        details: F1Details = super().details()
        return details

    def _details(self) -> F1Details:
        counts = segment_counts(self.table(), self.classes, self.overlap, self.ignored_frames)
        return f1_details(counts, self.classes, self.average, self.class_counts)

"""Per-frame mean average precision, the usual number of online action detection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gad_lightning.metrics.frame_metric import FrameMetric
from gad_lightning.metrics.functional.frame_map import IgnoredFrames, MapRule, frame_precisions, multi_hot
from gad_lightning.metrics.functional.frames import video_breaks
from gad_lightning.metrics.functional.labels import check_keys, check_score_rows


class FrameMAP(FrameMetric):
    """Mean over classes of the average precision of ranking all frames by the class's score, in [0, 1].

    The background, the ignored class and classes without a positive frame are left out of the mean; ``nan`` when none
    is left. Equal scores are one step of the ranking. Scores are kept as float32, N x C x 4 bytes. Repeats
    of a frame may differ by rounding (1 %), the larger score counts. A readout that gives no scores is refused.

    Args:
        num_classes: number of classes ``C``, background included.
        background: class index that is left out, or None.
        ignore_index: class that is left out, with every frame that has it (in THUMOS'14 "ambiguous"), or a label
            outside the classes, or None. If it is the background no frame is left out.
        calibrated: weigh false positives as if positives and negatives of a class were equally many.
        also_counts_as: ``{a: b}``: the score of class a counts for class b as well, the larger of both. THUMOS'14
            has ``{5: 8}``, CliffDiving is Diving.
        smooth_frames: odd number of frames over which the largest score is taken, within a video; 1 for none.
        ignored_frames: ``"drop"``, or ``"keep"`` to leave out only the class.
        **frames: ``gaps``, see :class:`~gad_lightning.FrameMetric`.

    Raises:
        SettingError: if a setting is out of its range.

    Source: De Geest et al., Online Action Detection, ECCV 2016 (calibrated average precision); ranking as
    ``sklearn.metrics.average_precision_score``.

    Example:
        >>> metric = FrameMAP(num_classes=2)
        >>> frames = torch.arange(3)
        >>> scores = torch.tensor([[0.1, 0.9], [0.5, 0.5], [0.6, 0.4]])
        >>> metric(scores, torch.tensor([1, 0, 1]), frames * 0, frames)
        tensor(0.8333)
    """

    scores: list[Tensor]
    hits: list[Tensor]

    def __init__(
        self,
        num_classes: int,
        background: int | None = 0,
        ignore_index: int | None = None,
        calibrated: bool = False,
        also_counts_as: Mapping[int, int] | None = None,
        smooth_frames: int = 1,
        ignored_frames: IgnoredFrames = "drop",
        **frames: Any,
    ) -> None:
        super().__init__(num_classes, background=background, ignore_index=ignore_index, **frames)
        rule = MapRule(smooth_frames, dict(also_counts_as or {}), ignored_frames, calibrated)
        self.rule = rule.checked(num_classes)
        self.add_rows("scores", torch.float32, num_classes)
        self.add_rows("hits", torch.uint8, num_classes + 1)

    def update(self, scores: Tensor, target: Tensor, video: Tensor, frame: Tensor) -> None:
        """Add frames, in any order and batching.

        Args:
            scores: (N, C) float and finite, the higher the likelier.
            target: (N,) integer, true class, or (N, C) multi-hot.
            video: (N,) integer, number of the video, the same in every process.
            frame: (N,) integer, number of the frame within its video.

        Raises:
            DataError: on another type or shape, a label that is no class, or a readout without scores.
        """
        hits = multi_hot(target, self.classes)
        check_score_rows(scores, len(hits), self.classes.num_classes)
        check_keys(video, frame, len(scores))
        self.append(scores=scores, hits=hits, video=video, frame=frame)

    def compute(self) -> Tensor:
        """Mean average precision: () float32."""
        return self._precisions().nanmean().float().to(self.device)

    def details(self) -> dict[str, Tensor]:
        """Mean average precision "map" and "per_class" (C,), ``nan`` for the classes that are left out."""
        details: dict[str, Tensor] = super().details()
        return details

    def _details(self) -> dict[str, Tensor]:
        precisions = self._precisions()
        return {"map": precisions.nanmean().float(), "per_class": precisions.float()}

    def _precisions(self) -> Tensor:
        order = self.order()
        breaks = video_breaks(order.video, order.frame, self.gaps)
        scores = order.close(self.rows("scores"), "scores")
        hits = order.agreed(self.rows("hits"), "targets")
        return frame_precisions(scores, hits, breaks, self.classes, self.rule)

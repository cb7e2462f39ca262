"""AUROC, FPR at 95 %, AUPR, OSCR and the three-way score of unknown actions, per frame and per segment."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gad_lightning.metrics.frame_metric import FrameMetric
from gad_lightning.metrics.functional.frames import frame_table
from gad_lightning.metrics.functional.labels import LabelSpace, check_frames
from gad_lightning.metrics.functional.open_set import open_set
from gad_lightning.metrics.functional.three_way import kinds_of, three_way_scores


class OpenSet(FrameMetric):
    """How well a rejection score tells actions of no class from known ones.

    Background and frames of unlabeled truth are left out. A segment is a run of one true label, its score the mean of
    its frames' finite ones, its predicted class that of most of them.

    Args:
        num_classes: number of classes C, background included; a true label of C means that the action is none of them.
        background: class index that means "nothing of interest", or None.
        ignore_index: class that is left out, or None.
        threshold: rejection score above which an action is called unknown, 0 for ``Predictions.rejection``: adds the
            three-way scores. None leaves them out.
        **frames: ``gaps`` and ``conflicts``, see :class:`FrameMetric`.

    Example:
        >>> metric, frames = OpenSet(num_classes=3), torch.arange(4)
        >>> truth = torch.tensor([1, 1, 3, 3])
        >>> metric.update(torch.tensor([0.1, 0.2, 0.8, 0.9]), frames % 3, truth, frames * 0, frames)
        >>> float(metric.compute()["frame_auroc"])
        1.0
    """

    rejection: list[Tensor]
    preds: list[Tensor]
    target: list[Tensor]

    def __init__(
        self,
        num_classes: int,
        background: int | None = 0,
        ignore_index: int | None = None,
        threshold: float | None = None,
        **frames: Any,
    ) -> None:
        super().__init__(num_classes, background=background, ignore_index=ignore_index, **frames)
        self.threshold = threshold
        self.add_rows("rejection", torch.float32, 1)
        self.add_rows("preds", torch.int32)
        self.add_rows("target", torch.int32)

    def update(self, rejection: Tensor, preds: Tensor, target: Tensor, video: Tensor, frame: Tensor) -> None:
        """Add frames, in any order and batching.

        Args:
            rejection: (N,) float, larger for what is more unknown, such as ``Predictions.rejection``.
            preds: (N,) integer, likeliest class of each frame, rejected or not.
            target: (N,) integer, true class; C where the action is none of them.
            video: (N,) integer, number of the video, the same in every process.
            frame: (N,) integer, number of the frame within its video.

        Raises:
            DataError: on another type or shape, or a label that is no class.
        """
        wider = LabelSpace(self.classes.num_classes + 1, self.classes.background, self.classes.ignore_index)
        check_frames(preds, target, video, frame, wider)
        self.append(rejection=rejection.reshape(len(preds), 1), preds=preds, target=target, video=video, frame=frame)

    def compute(self) -> dict[str, Tensor]:
        """Each of ``auroc``, ``fpr95``, ``aupr``, ``oscr`` after ``frame_`` and ``segment_``: () float32, nan for none.

        With a threshold also the F1 of each kind, ``known_f1``, ``background_f1``, ``unknown_f1``, and ``three_way``,
        their mean over the kinds in the truth. These count background too; a segment is what most of its frames are.

        Raises:
            DataError: on a gap, or on repeats that differ.
        """
        order = self.order()
        table = frame_table(order, self.rows("preds"), self.rows("target"), self.gaps, self.conflicts)
        scores = order.close(self.rows("rejection"), "rejection scores").squeeze(1)
        found = open_set(table, scores, self.classes)
        if self.threshold is not None:
            for kind, counts in kinds_of(table, scores > self.threshold, self.classes).items():
                found |= {f"{kind}_{name}": value for name, value in three_way_scores(counts).items()}
        return {name: value.float().to(self.device) for name, value in found.items()}

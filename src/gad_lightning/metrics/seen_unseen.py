"""Accuracy on the classes that training showed, on those it did not, and their harmonic mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.metrics.frame_metric import LabelMetric
from gad_lightning.metrics.functional.seen_unseen import seen_unseen


class SeenUnseen(LabelMetric):
    """How well classes without training, as of ``add_classes``, are told beside those with it.

    Background and frames of unlabeled truth are left out. Each accuracy is a mean over classes, and all classes may be
    predicted. A segment is a run of one true label; its predicted class is that of most of its frames.

    Args:
        num_classes: number of classes C, background included.
        unseen: indices of the classes that training did not show.
        **frames: ``background``, ``ignore_index``, ``gaps`` and ``conflicts``, see :class:`FrameMetric`.

    Raises:
        SettingError: if ``unseen`` is empty or has an index that is no class.

    Source: Xian et al., TPAMI 2019 (arXiv 1707.00600), generalized zero-shot learning.

    Example:
        >>> metric, frames = SeenUnseen(num_classes=4, unseen=[3]), torch.arange(4)
        >>> metric.update(torch.tensor([1, 2, 3, 1]), torch.tensor([1, 2, 3, 3]), frames * 0, frames)
        >>> {name: round(float(value), 2) for name, value in metric.compute().items() if name.startswith("frame")}
        {'frame_seen': 1.0, 'frame_unseen': 0.5, 'frame_harmonic': 0.67}
    """

    def __init__(self, num_classes: int, unseen: Sequence[int], **frames: Any) -> None:
        super().__init__(num_classes, **frames)
        if not unseen or not all(0 <= index < num_classes for index in unseen):
            raise SettingError(
                f"unseen is {list(unseen)}, and the classes are 0 to {num_classes - 1}.",
                "give the index of every class that training did not show",
            )
        self.unseen = torch.zeros(num_classes, dtype=torch.bool)
        self.unseen[list(unseen)] = True

    def compute(self) -> dict[str, Tensor]:
        """``seen``, ``unseen`` and ``harmonic`` after ``frame_`` and ``segment_``: () float32 in [0, 1], nan for none.

        Raises:
            DataError: on a gap, or on repeats that differ.
        """
        found = seen_unseen(self.table(), self.unseen, self.classes)
        return {name: value.float().to(self.device) for name, value in found.items()}

"""Answer readiness: whether an action is reported neither before it begins nor after it has passed."""

from __future__ import annotations

import math
from typing import Any, TypedDict

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.metrics.frame_metric import LabelMetric
from gad_lightning.metrics.functional.answer_readiness import Answers, answers
from gad_lightning.metrics.functional.point_f1 import check_fps


class ReadinessDetails(TypedDict):
    """Readiness and what it is made of, as means over true segments; ``nan`` where nothing is counted."""

    readiness: Tensor
    answered: Tensor  # share
    early: Tensor  # of the segments answered, the share whose alarm came too early
    late: Tensor  # of the segments answered, the share whose alarm came too late
    kept_by_early: Tensor  # of the segments answered, what being early leaves, in [0, 1]
    kept_by_late: Tensor  # of the segments answered, what being late leaves, in [0, 1]
    per_class: Tensor  # (C,) readiness


class AnswerReadiness(LabelMetric):
    """Mean over true segments of how well the time of their alarm fits, in [0, 1]; ``nan`` without a segment.

    An alarm is the first frame of a predicted segment. It belongs to the nearest true segment of its class in the
    video, if it is no further away than the median length t of the video's true segments; the first alarm of a segment
    is its answer. An alarm d seconds before the segment keeps 2 sigmoid(-6 d / t) of a full point, one d seconds after
    the segment (or after its first ``window_seconds``) keeps 1 - d / t, and a segment without an answer has nothing.
    So an early alarm, which can only be a guess, loses far more than one that is as late.

    Args:
        num_classes: number of classes ``C``, background included.
        fps: frames a second.
        window_seconds: after an action's first frame, in which an alarm is on time; None is to its end.
        background: class index that is no action, or None.
        ignore_index: label whose true frames are not scored, or None; they end a segment.
        **frames: ``gaps`` and ``conflicts``, see :class:`~gad_lightning.FrameMetric`.

    Raises:
        SettingError: if a setting is out of its range.

    Source: our form, for actions, of the Answer Readiness Score of Azad et al., StreamReady, arXiv 2603.08620, known to
    us from descriptions: two penalties that are multiplied, sharp for early (6) and mild for late (1) answers. There
    both have rounded corners, the scale is the median length of all evidence, and a question has one answer.

    Example:
        >>> import torch
        >>> metric, frames = AnswerReadiness(num_classes=2, fps=4), torch.arange(4)
        >>> metric(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 1, 0]), frames * 0, frames)
        tensor(0.5000)
    """

    def __init__(
        self,
        num_classes: int,
        *,
        fps: float,
        window_seconds: float | None = None,
        background: int | None = 0,
        ignore_index: int | None = None,
        **frames: Any,
    ) -> None:
        super().__init__(num_classes, background=background, ignore_index=ignore_index, **frames)
        check_fps(fps)
        if window_seconds is not None and not 0 <= window_seconds < math.inf:
            raise SettingError(
                f"window_seconds is {window_seconds}.", "give 0 or more seconds, or None: the whole action"
            )
        self.window = None if window_seconds is None else window_seconds * fps

    def compute(self) -> Tensor:
        """Mean readiness: () float32."""
        early, late = self._answers().kept()
        return (early * late).mean().float().to(self.device)

    def details(self) -> ReadinessDetails:
        """Readiness, the shares answered, early and late, what each penalty leaves, and readiness per class (C,)."""
        details: ReadinessDetails = super().details()
        return details

    def _details(self) -> ReadinessDetails:
        found = self._answers()
        early, late = (part.cpu() for part in found.kept())
        answered, size = found.answered.cpu(), self.classes.num_classes
        sums = torch.zeros(size, dtype=torch.float64).index_add_(0, found.label.cpu(), early * late)
        return ReadinessDetails(
            readiness=(early * late).mean().float(),
            answered=answered.double().mean().float(),
            early=(found.early.cpu()[answered] > 0).double().mean().float(),
            late=(found.late.cpu()[answered] > 0).double().mean().float(),
            kept_by_early=early[answered].mean().float(),
            kept_by_late=late[answered].mean().float(),
            per_class=(sums / torch.bincount(found.label.cpu(), minlength=size)).float(),
        )

    def _answers(self) -> Answers:
        return answers(self.table(), self.classes, self.window)

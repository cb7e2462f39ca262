"""Whether actions are reported at the right time: early and late alarms are penalized apart."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gad_lightning.metrics.functional.detection_delay import action_segments
from gad_lightning.metrics.functional.frames import LAST_FRAME, FrameTable
from gad_lightning.metrics.functional.labels import LabelSpace
from gad_lightning.metrics.functional.point_f1 import ROUNDING
from gad_lightning.segments import LabelRuns

_EARLY, _LATE = 6.0, 1.0
"""How sharply early and late alarms lose, as in the paper."""


class Answers(NamedTuple):
    """The alarm that answers each true segment; S segments."""

    label: Tensor  # (S,) int64, class of each
    answered: Tensor  # (S,) bool
    early: Tensor  # (S,) int64, frames from its alarm to the first frame of its window, 0 if it came later
    late: Tensor  # (S,) int64, frames from the last frame of its window to its alarm, 0 if it came earlier
    scale: Tensor  # (S,) float64, median length of its video's true segments in frames

    def kept(self) -> tuple[Tensor, Tensor]:
        """What being early and being late leave of a full answer: (S,) float64 each, in [0, 1], 0 where none came."""
        early = 2 * torch.sigmoid(-_EARLY * self.early / self.scale)
        late = (1 - _LATE * self.late / self.scale).clamp(min=0)
        return early * self.answered, late * self.answered


def answers(table: FrameTable, labels: LabelSpace, window: float | None = None) -> Answers:
    """Find the alarm, the first frame of a predicted segment, that answers each true segment.

    An alarm belongs to the true segment of its class in its video that is nearest in time, the earlier one of two, if
    it is no further from it than the median length of the video's true segments. The first one that belongs to a
    segment is its answer.

    Args:
        table: frames in order.
        labels: the classes.
        window: frames after a segment's first one in which an alarm is on time; None is to the segment's end.
    """
    true = action_segments(table.target, table.breaks, labels)
    found = action_segments(table.preds, table.breaks, labels)
    first, alarm = table.frame[true.start], table.frame[found.start]
    last = first + true.end - true.start - 1
    scale = _medians(table.video[true.start], true.end - true.start)
    came = torch.full_like(first, LAST_FRAME)
    if len(first) and len(alarm):
        groups = _groups(table, true, found)
        segment, away = _nearest(groups, first, last, alarm)
        kept = away <= scale[segment]
        came = came.scatter_reduce(0, segment[kept], alarm[kept], "amin")
    ends = last if window is None else torch.minimum(last, first + int(window + ROUNDING))
    answered = came < LAST_FRAME
    early, late = (first - came).clamp(min=0), (came - ends).clamp(min=0)
    return Answers(true.label.long(), answered, early * answered, late * answered, scale)


def _groups(table: FrameTable, true: LabelRuns, found: LabelRuns) -> tuple[Tensor, Tensor]:
    """Number of video and class together, of true and of predicted segments: (S,) and (P,) int64 from 0."""
    pairs = [torch.stack([table.video[runs.start], runs.label.long()], 1) for runs in (true, found)]
    number = torch.cat(pairs).unique(dim=0, return_inverse=True)[1]
    return number[: len(true.label)], number[len(true.label) :]


def _nearest(groups: tuple[Tensor, Tensor], first: Tensor, last: Tensor, alarm: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest segment of each alarm's video and class, and how many frames away it is.

    Args:
        groups: see :func:`_groups`.
        first: (S,) first frames of the segments.
        last: (S,) last frames of the segments.
        alarm: (P,) frames.

    Returns:
        The place of the segment, (P,) int64, and the distance, (P,) int64; ``LAST_FRAME`` where there is none.
    """
    keys = groups[0] * LAST_FRAME + first
    order = keys.argsort()
    after = torch.searchsorted(keys[order], groups[1] * LAST_FRAME + alarm, right=True)
    before, after = order[(after - 1).clamp(min=0)], order[after.clamp(max=len(order) - 1)]
    # the clamped ones are of another group, or are tried twice
    since = torch.where(groups[0][before] == groups[1], _away(first[before], last[before], alarm), LAST_FRAME)
    until = torch.where(groups[0][after] == groups[1], _away(first[after], last[after], alarm), LAST_FRAME)
    return torch.where(since <= until, before, after), torch.minimum(since, until)


def _away(first: Tensor, last: Tensor, alarm: Tensor) -> Tensor:
    """Frames from an alarm to a segment, 0 inside it."""
    return torch.maximum(first - alarm, alarm - last).clamp(min=0)


def _medians(video: Tensor, length: Tensor) -> Tensor:
    """Median length of the segments of each one's video: (S,) float64."""
    found = torch.zeros(len(video), dtype=torch.float64, device=video.device)
    for number in video.unique().tolist():
        mine = video == number
        found[mine] = length[mine].double().quantile(0.5)
    return found

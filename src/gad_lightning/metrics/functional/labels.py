"""Which labels are classes, which of them are actions, and the checks of tensors that a user passes."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from gad_lightning.errors import DataError, SettingError
from gad_lightning.metrics.functional.frames import (
    LAST_FRAME,
    FrameTable,
    Gaps,
    check_option,
    frame_table,
    order_frames,
)
from gad_lightning.types import IGNORED

Ignored = Literal["cut", "published"]


class LabelSpace(NamedTuple):
    """The classes 0..C-1 and the two labels that are no action.

    A target of ``IGNORED`` (-100) means "not labeled" everywhere and is treated as ``ignore_index`` is.
    """

    num_classes: int  # C, background included
    background: int | None = 0  # the class that means "nothing of interest"
    ignore_index: int | None = None  # the label of frames that are not scored, inside or outside the classes

    def checked(self) -> LabelSpace:
        """Return itself, refusing what cannot work.

        Raises:
            SettingError: if there is no class or the background is none of them.
        """
        if self.num_classes < 1:
            raise SettingError(f"num_classes is {self.num_classes}.", "give the number of classes, background included")
        if self.background is not None and not 0 <= self.background < self.num_classes:
            raise SettingError(
                f"background is {self.background}, but the classes are 0 to {self.num_classes - 1}.",
                "give the index of the background class, or None if there is none",
            )
        return self

    def action_classes(self) -> Tensor:
        """(C,) bool: the classes that are neither background nor ignored."""
        actions = torch.ones(self.num_classes, dtype=torch.bool)
        for index in (self.background, self.ignore_index):
            if index is not None and 0 <= index < self.num_classes:
                actions[index] = False
        return actions

    def actions(self, labels: Tensor) -> Tensor:
        """Replace every label that is no action by -1: (N,) -> (N,)."""
        labels = labels.long()  # -1 is no uint8
        no_action = (labels < 0) | (labels >= self.num_classes)
        for index in (self.background, self.ignore_index):
            if index is not None:
                no_action |= labels == index
        return labels.masked_fill(no_action, -1)

    def scored(self, target: Tensor) -> Tensor:
        """Frames whose truth is a class and not ignored: (N,) -> (N,) bool."""
        scored = (target >= 0) & (target < self.num_classes)
        if self.ignore_index is not None:
            scored &= target != self.ignore_index
        return scored

    def check(self, labels: Tensor, name: str) -> Tensor:
        """Return ``labels`` if they are (N,) integer classes, ignored ones allowed.

        Raises:
            DataError: on another shape or type, or a label that is no class.
        """
        _check_integers(labels, name)
        if labels.numel() == 0:
            return labels
        low, high = (int(bound) for bound in labels.aminmax())
        if low >= 0 and high < self.num_classes:
            return labels
        wrong = (labels < 0) | (labels >= self.num_classes)
        if self.ignore_index is not None:
            wrong &= labels != self.ignore_index
        if name == "target":
            wrong &= labels != IGNORED
        if bool(wrong.any()):
            raise DataError(
                f"{name} holds the label {int(labels[wrong][0])}, but the classes are 0 to {self.num_classes - 1} "
                f"and ignore_index is {self.ignore_index}.",
                "set num_classes to the number of classes of the data, or ignore_index to the label to be left out",
            )
        return labels


def without_ignored(table: FrameTable, labels: LabelSpace, ignored: Ignored = "cut") -> FrameTable:
    """Cut the frames whose truth is ignored out of truth and prediction; runs end there.

    Args:
        table: frames in order.
        labels: the classes. An ``ignore_index`` that is the background leaves out no frame.
        ignored: ``"published"`` leaves all frames in, so that what is predicted on ignored ones counts as wrong.

    Raises:
        SettingError: if ``ignored`` is neither.
    """
    check_option("ignored_frames", ignored, Ignored)
    if ignored == "published":
        return table
    kept = labels._replace(ignore_index=None if labels.ignore_index == labels.background else labels.ignore_index)
    scored = kept.scored(table.target)
    if bool(scored.all()):
        return table
    breaks = table.breaks.clone()
    breaks[1:] |= ~scored[:-1]
    columns = (table.preds, table.target, table.video, table.frame, breaks)
    return FrameTable(*(column[scored] for column in columns))


def _check_integers(values: Tensor, name: str) -> None:
    """Refuse anything but an (N,) integer tensor.

    Raises:
        DataError: naming the type or shape met.
    """
    if values.dtype.is_floating_point or values.dtype.is_complex or values.dtype == torch.bool:
        raise DataError(
            f"{name} must hold integers, but its type is {str(values.dtype).removeprefix('torch.')}.",
            "pass class indices, such as scores.argmax(-1), and int64 numbers",
        )
    if values.ndim != 1:
        raise DataError(
            f"{name} must have one entry a frame, (N,), but its shape is {tuple(values.shape)}.", "flatten it"
        )


def check_keys(video: Tensor, frame: Tensor, num_rows: int) -> None:
    """Refuse keys that do not fit ``num_rows`` rows.

    Raises:
        DataError: on another shape or type, another length or a frame number out of range.
    """
    _check_integers(video, "video")
    _check_integers(frame, "frame")
    if video.numel() != num_rows or frame.numel() != num_rows:
        raise DataError(
            f"There are {num_rows} predictions, {video.numel()} video and {frame.numel()} frame numbers.",
            "pass one video and one frame number a prediction",
        )
    if num_rows:
        low, high = (int(bound) for bound in frame.aminmax())
        if low < 0 or high >= LAST_FRAME:
            raise DataError(
                f"frame holds the number {low if low < 0 else high}.", "count the frames of each video from 0"
            )


def check_pair(preds: Tensor, target: Tensor, labels: LabelSpace) -> None:
    """Refuse anything but two (N,) integer tensors of classes.

    Raises:
        DataError: saying which tensor is wrong and how.
    """
    labels.check(preds, "preds")
    labels.check(target, "target")
    if target.numel() != preds.numel():
        raise DataError(
            f"There are {preds.numel()} predictions and {target.numel()} targets.", "pass one target a prediction"
        )


def check_frames(preds: Tensor, target: Tensor, video: Tensor, frame: Tensor, labels: LabelSpace) -> None:
    """Refuse anything but :func:`check_pair` of labels and :func:`check_keys` of frames.

    Raises:
        DataError: saying which tensor is wrong and how.
    """
    check_pair(preds, target, labels)
    check_keys(video, frame, preds.numel())


def _check_scores(scores: Tensor, num_classes: int) -> None:
    """Refuse anything but (N, C) finite floats.

    Raises:
        DataError: on another shape or type, or on scores that a readout does not have (-inf) or that are no number.
    """
    if not scores.dtype.is_floating_point:
        raise DataError(
            f"scores must be floats, but the type is {str(scores.dtype).removeprefix('torch.')}: labels are no scores.",
            "pass the scores of all classes; with a readout that has none use SegmentF1, PointF1 and Top1",
        )
    if scores.ndim != 2 or scores.shape[1] != num_classes:
        raise DataError(
            f"scores must have the shape (N, {num_classes}), one column a class, but it is {tuple(scores.shape)}.",
            "set num_classes to the classes of the task, or pass scores[:, :num_classes]",
        )
    if not bool(scores.isfinite().all()):
        row = int((~scores.isfinite()).any(1).nonzero()[0])
        raise DataError(
            f"Row {row} of scores is not finite: a readout that only names a label has no score for the other classes.",
            "use a readout with scores, such as the trie or the likelihood, or SegmentF1, PointF1 and Top1",
        )


def check_score_rows(scores: Tensor, num_targets: int, num_classes: int) -> None:
    """Refuse anything but (N, C) finite scores with as many targets.

    Raises:
        DataError: saying what does not fit.
    """
    _check_scores(scores, num_classes)
    if num_targets != len(scores):
        raise DataError(f"There are {len(scores)} rows of scores and {num_targets} targets.", "pass one target a row")


def table_of(
    preds: Tensor, target: Tensor, video: Tensor | None, frame: Tensor | None, labels: LabelSpace, gaps: Gaps
) -> FrameTable:
    """Check what a user passes, and bring the frames in order; see :func:`_keys_of` for missing keys."""
    video, frame = _keys_of(preds.numel(), video, frame, preds.device)
    check_frames(preds, target, video, frame, labels)
    return frame_table(order_frames(video, frame), preds, target, gaps)


def _keys_of(num_rows: int, video: Tensor | None, frame: Tensor | None, device: torch.device) -> tuple[Tensor, Tensor]:
    """Fill in missing keys: without ``video`` all rows are one video, without ``frame`` they are in order.

    Raises:
        DataError: if there are several videos and no frame numbers.
    """
    if frame is None:
        if video is not None:
            raise DataError("video is given without frame.", "pass the number of each frame within its video as well")
        frame = torch.arange(num_rows, device=device)
    if video is None:
        video = torch.zeros(num_rows, dtype=torch.int64, device=device)
    return video, frame

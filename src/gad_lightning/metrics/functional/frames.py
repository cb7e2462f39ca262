"""One row a frame: order, repeats and gaps. What every metric does before it counts anything."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from gad_lightning.errors import DataError, SettingError

Gaps = Literal["error", "cut"]
Conflicts = Literal["error", "lowest"]

LAST_FRAME = 1 << 40
"""Frame numbers lie below this, so that twice a frame number and a video's index fit one integer."""


def check_option(name: str, value: str, options: object) -> None:
    """Refuse a value that a ``Literal`` does not list.

    Raises:
        SettingError: naming the setting, its value and what it may be.

    Example:
        >>> check_option("gaps", "cut", Gaps)
    """
    if value not in get_args(options):
        *others, last = map(repr, get_args(options))
        raise SettingError(f"{name} is {value!r}.", f"set it to {', '.join(others)} or {last}")


class FrameTable(NamedTuple):
    """Labels of M frames of any number of videos, sorted by video and frame, no frame twice."""

    preds: Tensor  # (M,) integer class
    target: Tensor  # (M,) integer class
    video: Tensor  # (M,) int64
    frame: Tensor  # (M,) int64, number of the frame within its video
    breaks: Tensor  # (M,) bool, True at the first frame of a video and after a gap


class FrameOrder(NamedTuple):
    """How N rows in any order, repeats among them, become M frames in order."""

    rows: Tensor | None  # (N,) int64, the rows sorted by video and frame; None if they are
    group: Tensor | None  # (N,) int64, the frame in 0..M-1 of each sorted row; None if no frame is repeated
    video: Tensor  # (M,) int64
    frame: Tensor  # (M,) int64

    def sorted(self, column: Tensor) -> Tensor:
        """Bring a column (N, ...) into the order of the frames, repeats still in it."""
        return column if self.rows is None else picked(column, self.rows)

    def agreed(self, column: Tensor, name: str, remedy: str = "") -> Tensor:
        """One value a frame, (N, ...) integer -> (M, ...), refusing repeats that differ.

        Args:
            column: (N, ...) integer.
            name: what the column holds, for the error.
            remedy: a way out beside the one that always helps, ending in ``, or ``.

        Raises:
            DataError: naming the first frame that was given two values.
        """
        column = self.sorted(column)
        if self.group is None:
            return column
        kept = self._first(column)
        if rows := _true_rows(kept[self.group] != column):
            frame = int(self.group[rows[0]])
            values = f", {int(kept[frame])} and {int(column[rows[0]])}" if column.ndim == 1 else ""
            self._refuse(frame, f"different {name}{values} ({len(rows)} such repeats)", remedy)
        return kept

    def smallest(self, column: Tensor) -> Tensor:
        """One value a frame, (N, ...) -> (M, ...): the smallest of its repeats."""
        return self._reduced(column, "amin")

    def largest(self, column: Tensor) -> Tensor:
        """One value a frame, (N, ...) -> (M, ...): the largest of its repeats."""
        return self._reduced(column, "amax")

    def close(self, column: Tensor, name: str, tolerance: float = 1e-2) -> Tensor:
        """One value a frame, (N, ...) float -> (M, ...): the largest of repeats that differ by rounding only.

        Batches of another size round otherwise, so scores of a repeated frame are seldom the same to the last bit.

        Raises:
            DataError: naming the first frame with values further apart than ``tolerance``, absolute plus relative.
        """
        kept = self.largest(column)
        if self.group is not None:
            apart = ~torch.isclose(kept[self.group], self.sorted(column), rtol=tolerance, atol=tolerance)
            if rows := _true_rows(apart):
                self._refuse(int(self.group[rows[0]]), f"{name} further apart than {tolerance}")
        return kept

    def _refuse(self, frame: int, what: str, remedy: str = "") -> None:
        """Say that a frame was given twice with ``what``."""
        raise DataError(
            f"Frame {int(self.frame[frame])} of video {int(self.video[frame])} was given twice with {what}.",
            f"{remedy}give every video its own number in all processes and every frame once",
        )

    def _first(self, column: Tensor) -> Tensor:
        """The first row of each group."""
        assert self.group is not None
        kept = column.new_empty((self.frame.numel(), *column.shape[1:]))
        begins = torch.ones_like(self.group, dtype=torch.bool)
        begins[1:] = self.group[1:] != self.group[:-1]
        kept[self.group[begins]] = column[begins]
        return kept

    def _reduced(self, column: Tensor, how: str) -> Tensor:
        """Reduce the repeats of each frame by ``amin`` or ``amax``."""
        column = self.sorted(column)
        if self.group is None:
            return column
        index = self.group.reshape(-1, *[1] * (column.ndim - 1)).expand_as(column)
        return self._first(column).scatter_reduce(0, index, column, how)


def _true_rows(cells: Tensor) -> list[int]:
    """The rows with a True in them: (N, ...) bool."""
    rows: list[int] = (cells.any(1) if cells.ndim > 1 else cells).nonzero().flatten().tolist()
    return rows


def order_frames(video: Tensor, frame: Tensor) -> FrameOrder:
    """Find the order of N rows and the repeats among them.

    Args:
        video: (N,) int64, any numbers.
        frame: (N,) int64, in 0..2**40 - 1.
    """
    rows = None
    if not _ascending(video, frame):
        rows = _lexicographic(video, frame)
        video, frame = picked(video, rows), picked(frame, rows)
    new = torch.ones_like(video, dtype=torch.bool)
    new[1:] = (video[1:] != video[:-1]) | (frame[1:] != frame[:-1])
    if bool(new.all()):
        return FrameOrder(rows, None, video, frame)
    return FrameOrder(rows, new.cumsum(0) - 1, video[new], frame[new])


def _ascending(video: Tensor, frame: Tensor) -> bool:
    """Whether the rows are in order, repeats allowed."""
    same = video[1:] == video[:-1]
    return bool(((video[1:] > video[:-1]) | (same & (frame[1:] >= frame[:-1]))).all())


def _lexicographic(video: Tensor, frame: Tensor) -> Tensor:
    """Rows sorted by video, then frame."""
    video, frame = video.long(), frame.long()
    low, high = (int(bound) for bound in video.aminmax())
    span = int(frame.max()) + 1
    if (high - low + 1) * span < 1 << 62:
        return ((video - low) * span + frame).argsort()
    rows = frame.argsort(stable=True)
    return rows[video[rows].argsort(stable=True)]


def picked(column: Tensor, rows: Tensor) -> Tensor:
    """``column[rows]``; of a contiguous vector this is eight times as fast as of a column of a matrix."""
    return column.contiguous().index_select(0, rows)


def video_breaks(video: Tensor, frame: Tensor, gaps: Gaps = "error") -> Tensor:
    """Mark where a run must begin: (M,) bool.

    Args:
        video: (M,) int64, sorted.
        frame: (M,) int64, sorted within each video, no frame twice.
        gaps: what a missing frame inside a video does: ``"error"``, or ``"cut"`` a run there.

    Raises:
        DataError: naming the first video with a gap, if gaps are errors.
        SettingError: if ``gaps`` is neither.
    """
    check_option("gaps", gaps, Gaps)
    breaks = torch.ones_like(video, dtype=torch.bool)
    breaks[1:] = video[1:] != video[:-1]
    skips = ~breaks
    skips[1:] &= frame[1:] - frame[:-1] > 1
    if gaps == "error" and (places := skips.nonzero().flatten().tolist()):
        after = places[0]
        raise DataError(
            f"Video {int(video[after])} has no frame between {int(frame[after - 1])} and {int(frame[after])} "
            f"({len(places)} gaps in all): frames were lost, or forward() was called on a part of a video.",
            "give the metric every frame of a video before compute(), or set gaps='cut' to end segments at a gap",
        )
    return breaks | skips


def frame_table(
    order: FrameOrder, preds: Tensor, target: Tensor, gaps: Gaps = "error", conflicts: Conflicts = "error"
) -> FrameTable:
    """Sort labels, count repeated frames once and find the gaps.

    Args:
        order: see :func:`order_frames`.
        preds: (N,) integer, predicted class.
        target: (N,) integer, true class.
        gaps: see :func:`video_breaks`.
        conflicts: what repeats of a frame with different predictions do: ``"error"``, or the ``"lowest"`` class counts.
            Different targets are always an error.

    Raises:
        DataError: on a gap, or on repeats that differ.
        SettingError: if ``gaps`` or ``conflicts`` is none of its values.
    """
    check_option("conflicts", conflicts, Conflicts)
    truth = order.agreed(target, "targets")
    if conflicts == "lowest":
        found = order.smallest(preds)
    else:
        found = order.agreed(preds, "predictions", "set conflicts='lowest' to let the lowest class count, or ")
    return FrameTable(found, truth, order.video, order.frame, video_breaks(order.video, order.frame, gaps))

"""What all metrics share: they remember frames, each under the key (video, frame), and count when they are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from gad_lightning.metrics.functional.frames import (
    Conflicts,
    FrameOrder,
    FrameTable,
    Gaps,
    check_option,
    frame_table,
    order_frames,
    picked,
)
from gad_lightning.metrics.functional.labels import LabelSpace, check_frames


class FrameMetric(Metric):
    """Keeps one row a frame and settles order, repeats and gaps when it computes.

    The states are plain rows and do not depend on any setting, so several metrics of one ``MetricCollection`` share
    them. On several processes each computes from the rows of all, so the result is the same to the last bit however
    the frames were shared out, also if a process has none. Under Lightning, update in the step, then compute and log in
    ``on_validation_epoch_end`` or ``on_test_epoch_end``.

    Args:
        num_classes: number of classes ``C``, background included.
        background: class index that means "nothing of interest", or None.
        ignore_index: label of frames that are not scored, inside or outside the classes, or None. A target of
            ``IGNORED`` (-100) is treated the same way.
        gaps: what a missing frame inside a video does: ``"error"``, or ``"cut"`` (segments end there).
        conflicts: what repeats of a frame with different predictions do: ``"error"``, or the ``"lowest"`` class
            counts, for models whose rounding depends on the batch. Different targets are always an error.
        **kwargs: passed on to ``torchmetrics.Metric``.

    Raises:
        SettingError: if a setting is out of its range.
    """

    is_differentiable = False
    higher_is_better: bool | None = True
    full_state_update = False
    plot_lower_bound: float | None = 0.0
    plot_upper_bound: float | None = 1.0

    video: list[Tensor]
    frame: list[Tensor]

    def __init__(
        self,
        num_classes: int,
        background: int | None = 0,
        ignore_index: int | None = None,
        gaps: Gaps = "error",
        conflicts: Conflicts = "error",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.classes = LabelSpace(num_classes, background, ignore_index).checked()
        check_option("gaps", gaps, Gaps)
        check_option("conflicts", conflicts, Conflicts)
        self.gaps: Gaps = gaps
        self.conflicts: Conflicts = conflicts
        self._kinds: dict[str, tuple[torch.dtype, tuple[int, ...]]] = {}
        self.add_rows("video", torch.int64)
        self.add_rows("frame", torch.int64)

    def add_rows(self, name: str, dtype: torch.dtype, *shape: int) -> None:
        """Add a state of rows (N, ``*shape``), one row a frame."""
        self.add_state(name, [], dist_reduce_fx="cat")
        self._kinds[name] = (dtype, shape)

    def append(self, **rows: Tensor) -> None:
        """Add rows to the states of these names."""
        for name, values in rows.items():
            dtype, _ = self._kinds[name]
            getattr(self, name).append(values.detach().to(self.device, dtype, copy=True))

    def rows(self, name: str) -> Tensor:
        """All rows of a state: (N, ...), of its type also without any."""
        state = getattr(self, name)
        if isinstance(state, Tensor):
            return state
        if not state:
            dtype, shape = self._kinds[name]
            return torch.empty(0, *shape, dtype=dtype, device=self.device)
        self._replace(name, torch.cat(state) if len(state) > 1 else state[0])
        rows: Tensor = state[0]
        return rows

    def _replace(self, name: str, rows: Tensor) -> None:
        """Keep ``rows`` as the state; in place, as the metrics of a collection share their lists."""
        state = getattr(self, name)
        if isinstance(state, Tensor):
            setattr(self, name, rows)
        else:
            state[:] = [rows]

    def order(self) -> FrameOrder:
        """Sort the rows of all states by video and frame, and find the repeats.

        The rows stay sorted, so the next metric of a collection need not sort them again.
        """
        order = order_frames(self.rows("video"), self.rows("frame"))
        if order.rows is None:
            return order
        for name in self._kinds:
            self._replace(name, picked(self.rows(name), order.rows))
        return order._replace(rows=None)

    def details(self) -> Any:
        """Everything that was counted, on the CPU, over all processes: call it on each of them, like ``compute``."""
        with self.sync_context(
            dist_sync_fn=self.dist_sync_fn, should_sync=self._to_sync, should_unsync=self._should_unsync
        ):
            return self._details()

    def _details(self) -> Any:
        """Count; the states hold the rows of all processes."""
        raise NotImplementedError

    def sync(
        self,
        dist_sync_fn: Callable[..., object] | None = None,
        process_group: object | None = None,
        should_sync: bool = True,
        distributed_available: Callable[..., bool] | None = None,
    ) -> None:
        """Gather the rows of all processes; one without a row sends none of the right type.

        torchmetrics 1.9 would send an empty float vector for it, which the others cannot join to their integers.
        """
        if not self._is_synced:
            for name in self._kinds:
                self._replace(name, self.rows(name))
        super().sync(dist_sync_fn, process_group, should_sync, distributed_available)

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot one value or several, by default the computed one; see ``torchmetrics.Metric``."""
        return self._plot(val, ax)


class LabelMetric(FrameMetric):
    """A metric of predicted against true classes."""

    preds: list[Tensor]
    target: list[Tensor]

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(num_classes, **kwargs)
        self.add_rows("preds", torch.int32)
        self.add_rows("target", torch.int32)

    def update(self, preds: Tensor, target: Tensor, video: Tensor, frame: Tensor) -> None:
        """Add frames, in any order and batching.

        Args:
            preds: (N,) integer, predicted class of each frame.
            target: (N,) integer, true class.
            video: (N,) integer, number of the video, the same in every process.
            frame: (N,) integer, number of the frame within its video.

        Raises:
            DataError: on another type or shape, or a label that is no class.
        """
        check_frames(preds, target, video, frame, self.classes)
        self.append(preds=preds, target=target, video=video, frame=frame)

    def table(self) -> FrameTable:
        """All frames in order, each once.

        Raises:
            DataError: on a gap, or on repeats that differ.
        """
        return frame_table(self.order(), self.rows("preds"), self.rows("target"), self.gaps, self.conflicts)

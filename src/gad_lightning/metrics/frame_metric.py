"""What all metrics share: they remember frames, each under the key (video, frame), and count when they are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from gad_lightning.metrics.functional.frames import Conflicts, FrameOrder, FrameTable, Gaps, frame_table, order_frames
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

    keys: list[Tensor]

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
        self.gaps: Gaps = gaps
        self.conflicts: Conflicts = conflicts
        self._kinds: dict[str, tuple[torch.dtype, int]] = {}
        self.add_rows("keys", torch.int64, 2)

    def add_rows(self, name: str, dtype: torch.dtype, width: int) -> None:
        """Add a state of rows (N, ``width``), one row a frame."""
        self.add_state(name, [], dist_reduce_fx="cat")
        self._kinds[name] = (dtype, width)

    def append(self, name: str, *columns: Tensor) -> None:
        """Add rows to a state: its columns, (N,) each, or one matrix."""
        rows = columns[0] if columns[0].ndim == 2 else torch.stack(columns, 1)
        getattr(self, name).append(rows.detach().to(self.device, self._kinds[name][0]))

    def rows(self, name: str) -> Tensor:
        """All rows of a state: (N, width), of its type also without any."""
        state = getattr(self, name)
        if isinstance(state, Tensor):
            return state
        if not state:
            dtype, width = self._kinds[name]
            return torch.empty(0, width, dtype=dtype, device=self.device)
        if len(state) > 1:
            state[:] = [torch.cat(state)]  # in place: metrics of a collection share the list
        rows: Tensor = state[0]
        return rows

    def order(self) -> FrameOrder:
        """Sort the frames and find the repeats."""
        keys = self.rows("keys")
        return order_frames(keys[:, 0], keys[:, 1])

    def details(self) -> Any:
        """Everything that was counted, over all processes: call it on every process, like ``compute``."""
        with self.sync_context(
            dist_sync_fn=self.dist_sync_fn, should_sync=self._to_sync, should_unsync=self._should_unsync
        ):
            return self._details()

    def _details(self) -> Any:
        """Count; the states hold the rows of all processes."""
        raise NotImplementedError

    def sync(
        self,
        dist_sync_fn: Callable[..., Any] | None = None,
        process_group: Any | None = None,
        should_sync: bool = True,
        distributed_available: Callable[..., Any] | None = None,
    ) -> None:
        """Gather the rows of all processes; one without a row sends none of the right type.

        torchmetrics 1.9 would send an empty float vector for it, which the others cannot join to their integers.
        """
        if not self._is_synced:
            for name in self._kinds:
                getattr(self, name)[:] = [self.rows(name)]
        super().sync(dist_sync_fn, process_group, should_sync, distributed_available)

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot one value or several, by default the computed one; see ``torchmetrics.Metric``."""
        return self._plot(val, ax)


class LabelMetric(FrameMetric):
    """A metric of predicted against true classes."""

    labels: list[Tensor]

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(num_classes, **kwargs)
        self.add_rows("labels", torch.int32, 2)

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
        self.append("keys", video, frame)
        self.append("labels", preds, target)

    def table(self) -> FrameTable:
        """All frames in order, each once.

        Raises:
            DataError: on a gap, or on repeats that differ.
        """
        keys, labels = self.rows("keys"), self.rows("labels")
        return frame_table(labels[:, 0], labels[:, 1], keys[:, 0], keys[:, 1], gaps=self.gaps, conflicts=self.conflicts)

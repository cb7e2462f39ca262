"""The metrics of a validation or test run, per task."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torchmetrics import Metric

from gad_lightning.metrics import PointF1, SegmentF1, Top1
from gad_lightning.schema import DataSchema, Task
from gad_lightning.types import IGNORED, Predictions, first_class


class Evaluation(nn.Module):
    """Segment-F1 at IoU 0.1, point-F1 at 1 s and Top-1, each exact on any number of processes.

    Args:
        schema: tasks and fps. With one task the names are plain, with several ``<task>_<metric>``; tasks that are
            asked once a clip have Top-1 only.
    """

    def __init__(self, schema: DataSchema) -> None:
        super().__init__()
        self.schema = schema
        self.metrics = [self.of_task(task) for task in schema.tasks]
        self.held = nn.ModuleList(metric for metrics in self.metrics for metric in metrics.values())

    def of_task(self, task: Task) -> dict[str, Metric]:
        """Metrics by name."""
        size, background = len(task.labels.names), task.labels.background
        # a query that two processes score may fall to either side by rounding: the lower class counts, everywhere alike
        rules: dict[str, Any] = {"ignore_index": IGNORED, "conflicts": "lowest"}
        if not task.per_frame:
            return {"top1": Top1(size, gaps="cut", **rules)}
        return {
            "top1": Top1(size, **rules),
            "segment_f1": SegmentF1(size, background=background, **rules),
            "point_f1": PointF1(size, fps=self.schema.features.fps, background=background, **rules),
        }

    def update(self, predictions: Predictions) -> None:
        """Add scored queries; multi-hot targets count as their first class."""
        target = first_class(predictions.target)
        for number, metrics in enumerate(self.metrics):
            asked = (predictions.task == number).nonzero().squeeze(1)
            if not len(asked):
                continue
            size = len(self.schema.tasks[number].labels.names)
            preds = predictions.scores[asked.to(predictions.scores.device), :size].argmax(1)
            frame = predictions.frame if self.schema.tasks[number].per_frame else predictions.query_index
            for metric in metrics.values():
                columns = (preds, target[asked], predictions.video[asked], frame[asked])
                metric.update(*(column.to(metric.device) for column in columns))

    def reset(self) -> None:
        """Forget everything."""
        for metrics in self.metrics:
            for metric in metrics.values():
                metric.reset()

    def compute(self) -> dict[str, Tensor]:
        """Values by name, and forget everything."""
        values: dict[str, Tensor] = {}
        for task, metrics in zip(self.schema.tasks, self.metrics, strict=True):
            for name, metric in metrics.items():
                values[name if len(self.schema.tasks) == 1 else f"{task.name}_{name}"] = metric.compute()
        self.reset()
        return values

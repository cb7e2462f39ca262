"""The standard metrics of a validation or test run, per task."""

from __future__ import annotations

from torch import Tensor, nn

from gad_lightning.metrics.frame_metric import LabelMetric
from gad_lightning.results.standard import full_name, metrics_of, space_of
from gad_lightning.schema import DataSchema, Task
from gad_lightning.types import Predictions, first_class


class TaskEvaluation(LabelMetric):
    """The standard metrics of one task, exact on any number of processes.

    Args:
        task: what is asked.
        fps: frames a second.
    """

    def __init__(self, task: Task, fps: float) -> None:
        space = space_of(task)
        # a query that two processes score may fall to either side by rounding: the lower class counts, everywhere alike
        super().__init__(
            space.num_classes,
            background=space.background,
            ignore_index=space.ignore_index,
            gaps="error" if task.per_frame else "cut",
            conflicts="lowest",
        )
        self.task, self.fps = task, fps

    def compute(self) -> dict[str, Tensor]:
        """Values by the metric's name: () float32 each."""
        table, space = self.table(), self.classes
        return {
            metric.name: metric.value(metric.counts(table, space, self.fps), space).float().to(self.device)
            for metric in metrics_of(self.task)
        }


class Evaluation(nn.Module):
    """The standard metrics of all tasks: see :data:`~gad_lightning.results.standard.STANDARD`.

    Args:
        schema: tasks and fps. With one task the names are plain, with several ``<task>_<metric>``.
    """

    def __init__(self, schema: DataSchema) -> None:
        super().__init__()
        self.schema = schema
        self.evaluations = [TaskEvaluation(task, schema.features.fps) for task in schema.tasks]
        self.held = nn.ModuleList(self.evaluations)

    def update(self, predictions: Predictions) -> None:
        """Add scored queries; multi-hot targets count as their first class."""
        target = first_class(predictions.target)
        for number, evaluation in enumerate(self.evaluations):
            asked = (predictions.task == number).nonzero().squeeze(1)
            if not len(asked):
                continue
            preds = predictions.scores[asked.to(predictions.scores.device), : evaluation.classes.num_classes].argmax(1)
            frame = predictions.frame if evaluation.task.per_frame else predictions.query_index
            columns = (preds, target[asked], predictions.video[asked], frame[asked])
            evaluation.update(*(column.to(evaluation.device) for column in columns))

    def reset(self) -> None:
        """Forget everything."""
        for evaluation in self.evaluations:
            evaluation.reset()

    def compute(self) -> dict[str, Tensor]:
        """Values by name, and forget everything."""
        values: dict[str, Tensor] = {}
        for evaluation in self.evaluations:
            found, task = evaluation.compute(), evaluation.task
            for metric in metrics_of(task):
                values[full_name(metric, task, len(self.schema.tasks))] = found[metric.name]
        self.reset()
        return values

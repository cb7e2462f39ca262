"""Validation, test and prediction: how their batches are scored, and the standard metrics per task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from gad_lightning.classifiers.deciding import Deciding
from gad_lightning.classifiers.remembering import PastLabels
from gad_lightning.decisions.observed import Observed
from gad_lightning.decisions.outcome import outcome_of
from gad_lightning.decisions.path import Decisions
from gad_lightning.metrics.frame_map import FrameMAP
from gad_lightning.metrics.frame_metric import FrameMetric, LabelMetric
from gad_lightning.metrics.functional.frames import FrameTable, video_breaks
from gad_lightning.results.several import pair_table, single_labels, truths_of
from gad_lightning.results.standard import MAP, full_name, metrics_of, space_of
from gad_lightning.schema import DataSchema, Task
from gad_lightning.types import Batch, Predictions, chosen_classes, known_class

PRECISION = "ap/"
"""Beginning of the name of a class's average precision."""


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


class SeveralEvaluation(FrameMAP):
    """The standard metrics of a task where several labels can be true, the mean average precision first.

    Scores are probabilities; those that a readout does not have are the lowest.

    Args:
        task: what is asked.
        fps: frames a second.
    """

    def __init__(self, task: Task, fps: float) -> None:
        labels, gaps = task.labels, "error" if task.per_frame else "cut"
        super().__init__(len(labels.names), background=labels.background, ignore_index=labels.ignore, gaps=gaps)
        self.task, self.fps = task, fps

    def compute(self) -> dict[str, Tensor]:  # type: ignore[override]  # all metrics of the task at once
        """Values by the metric's name, and the average precision of each class as ``ap/<class>``: () float32 each."""
        order = self.order()
        scores, hits = order.close(self.rows("scores"), "scores"), order.agreed(self.rows("hits"), "targets")
        precisions = self._precisions()
        chosen = chosen_classes(scores, self.task.labels)
        truth = hits[:, :-1].to(torch.int8).masked_fill(hits[:, -1:] > 0, -1)
        label, true = single_labels(scores, chosen, truth)
        breaks = video_breaks(order.video, order.frame, self.gaps)
        single = FrameTable(label, true, order.video, order.frame, breaks)
        pairs = pair_table(chosen, truth, order.video, order.frame, self.task.labels)
        found = {MAP: precisions.nanmean()}
        for metric in metrics_of(self.task):
            space = space_of(self.task, metric.single)
            found[metric.name] = metric.value(metric.counts(single if metric.single else pairs, space, self.fps), space)
        for name, precision in zip(self.task.labels.names, precisions, strict=True):
            if not bool(precision.isnan()):
                found[f"{PRECISION}{name}"] = precision
        return {name: value.float().to(self.device) for name, value in found.items()}


class DecidedEvaluation(FrameMetric):
    """Decides the videos of one task when it computes, exact on any number of processes.

    Args:
        number: index of the task in the schema.
        made: its decisions.
    """

    scores: list[Tensor]
    truth: list[Tensor]
    unknown: list[Tensor]

    def __init__(self, number: int, made: Decisions) -> None:
        classes = len(made.labels.names)
        super().__init__(classes, background=None, gaps="cut")
        self.number, self.made = number, made
        self.add_rows("scores", torch.float32, classes)
        self.add_rows("truth", torch.int8, classes)
        self.add_rows("unknown", torch.uint8, 1)

    def update(self, predictions: Predictions) -> None:
        """Add the queries of the task, with log-probabilities and what was rejected."""
        asked = (predictions.task == self.number).nonzero().squeeze(1)
        size = self.classes.num_classes
        columns = {
            "scores": predictions.scores[:, :size],
            "truth": truths_of(predictions.target, size),
            "unknown": predictions.unknown.unsqueeze(1),
            "video": predictions.video,
            "frame": predictions.frame,
        }
        self.append(**{name: column[asked.to(column.device)] for name, column in columns.items()})

    def compute(self) -> dict[str, Tensor]:
        """Values by name, see :func:`~gad_lightning.decisions.outcome.outcome_of`: () float32; none without truth.

        Raises:
            DataError: if a score is NaN.
        """
        order = self.order()
        scores, unknown = order.largest(self.rows("scores")), order.largest(self.rows("unknown"))[:, 0]
        truth = order.agreed(self.rows("truth"), "targets")
        seen = Observed(
            scores.double().cpu().numpy(),
            truth.cpu().numpy(),
            np.unique(order.video.cpu().numpy(), return_inverse=True)[1].astype(np.int64),
            order.frame.cpu().numpy(),
            self.made.labels,
            self.made.fps,
            unknown.bool().cpu().numpy(),
        )
        if not seen.known.any():
            return {}
        values = outcome_of(seen.checked(), self.made)
        return {name: torch.tensor(value, device=self.device) for name, value in values.items()}


class Evaluation(nn.Module):
    """The standard metrics of all tasks: see :data:`~gad_lightning.results.standard.STANDARD`.

    Args:
        schema: tasks and fps. With one task the names are plain, with several ``<task>_<metric>``.
    """

    def __init__(self, schema: DataSchema) -> None:
        super().__init__()
        self.schema = schema
        self.evaluations: list[TaskEvaluation | SeveralEvaluation] = [
            SeveralEvaluation(task, schema.features.fps)
            if task.labels.multi_label
            else TaskEvaluation(task, schema.features.fps)
            for task in schema.tasks
        ]
        self.held = nn.ModuleList(self.evaluations)
        self.decided: dict[str, DecidedEvaluation] = {}

    def update(self, predictions: Predictions) -> None:
        """Add scored queries; where one label is asked for, multi-hot targets count as their first class.

        Frames of actions that are none of the classes are left out.
        """
        for number, evaluation in enumerate(self.evaluations):
            asked = (predictions.task == number).nonzero().squeeze(1)
            if not len(asked):
                continue
            scores = predictions.scores[asked.to(predictions.scores.device), : len(evaluation.task.labels.names)]
            frame = predictions.frame if evaluation.task.per_frame else predictions.query_index
            target = predictions.target[asked.to(predictions.target.device)]
            if evaluation.task.labels.multi_label:
                target = target[:, : scores.shape[1]] if target.dim() == 2 else target
                columns = (scores.exp(), target, predictions.video[asked], frame[asked])
            else:
                columns = (
                    scores.argmax(1),
                    known_class(target, scores.shape[1]),
                    predictions.video[asked],
                    frame[asked],
                )
            evaluation.update(*(column.to(evaluation.device) for column in columns))
        for decided in self.decided.values():
            decided.update(predictions)

    def reset(self, decisions: Sequence[Decisions | None] = ()) -> None:
        """Forget everything, and count what decisions do from now on.

        Args:
            decisions: of each task; None where the likeliest class is the label.
        """
        for evaluation in self.evaluations:
            evaluation.reset()
        device = self.evaluations[0].device
        self.decided = {
            self.schema.tasks[number].name: DecidedEvaluation(number, made).to(device)
            for number, made in enumerate(decisions)
            if made is not None
        }

    def compute(self, per_class: bool = False) -> dict[str, Tensor]:
        """Values by name, and forget everything.

        Args:
            per_class: give the average precision of each class too, where several labels can be true.
        """
        values: dict[str, Tensor] = {}
        for evaluation in self.evaluations:
            for name, value in evaluation.compute().items():
                if per_class or not name.startswith(PRECISION):
                    values[full_name(name, evaluation.task, len(self.schema.tasks))] = value
            if decided := self.decided.get(evaluation.task.name):
                for name, value in decided.compute().items():
                    values[full_name(name, evaluation.task, len(self.schema.tasks))] = value
        self.reset()
        return values


class Evaluating(Deciding):
    """Mixin of the classifiers: what Lightning calls in validation, test and prediction."""

    evaluation: Evaluation
    past: PastLabels

    def on_validation_epoch_start(self) -> None:
        """Forget what a validation that was broken off has left."""
        self.evaluation.reset(self.all_decisions())
        self.past = PastLabels()

    on_test_epoch_start = on_predict_epoch_start = on_validation_epoch_start

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect predictions for the validation metrics."""
        found = self.scores_after(self.past, batch)
        self.evaluation.update(self.judged(found) if self.decisions else found)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect predictions for the test metrics."""
        self.evaluation.update(self.judged(self.scores_after(self.past, batch)))

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> Predictions:
        """Score a batch; no objective runs and nothing is generated beyond what the readout needs."""
        return self.judged(self.scores_after(self.past, batch)).cpu()

    def on_validation_epoch_end(self) -> None:
        """Log the validation metrics."""
        self.log_dict({f"val/{name}": value for name, value in self.evaluation.compute().items()}, prog_bar=True)

    def on_test_epoch_end(self) -> None:
        """Log the test metrics."""
        self.log_dict({f"test/{name}": value for name, value in self.evaluation.compute(per_class=True).items()})

"""Decisions of a classifier: fitted on the validation split, kept in its checkpoint, used wherever it labels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from types import NoneType
from typing import Any

import torch
from torch import Tensor

from gad_lightning.classifiers.calibration import Wanted, fitted, observed_in, timelines_of
from gad_lightning.classifiers.open_world.rejecting import Rejecting
from gad_lightning.classifiers.remembering import PastLabels
from gad_lightning.data.base import ActionDataModule
from gad_lightning.decisions.best_path import BestPath
from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.observed import Floats
from gad_lightning.decisions.path import Decisions
from gad_lightning.decisions.risk import RiskControl
from gad_lightning.decisions.steady import SteadyLabels
from gad_lightning.decisions.switches import MinimumDuration
from gad_lightning.decisions.thresholds import AlarmThresholds
from gad_lightning.errors import CheckpointError, DataError, SettingError
from gad_lightning.parts import ALLOWED_PACKAGES, check_given
from gad_lightning.rebuilding import rebuild
from gad_lightning.schema import Task
from gad_lightning.types import Batch, Predictions


class Deciding(Rejecting):
    """Mixin of the classifiers: the likeliest class is the label until :meth:`calibrate` is called."""

    decisions: Mapping[str, Decisions] = {}
    """Fitted decisions by the name of their task."""

    def calibrate(
        self,
        data: ActionDataModule,
        thresholds: AlarmThresholds | RiskControl | SteadyLabels | None = None,
        duration: MinimumDuration | None = None,
        sets: ConformalLabels | None = None,
        task: int = 0,
    ) -> Decisions:
        """Fit temperature, thresholds and label sets to the validation split, and decide by them from now on.

        The split is read once. The test split is never used.

        Args:
            data: the classifier's classes, with validation videos that it was not trained on.
            thresholds: how they are chosen; by a false alarm an hour of each class if None. Steady labels take their
                place where one label a frame matters more than alarms.
            duration: how long a class must last before it goes on or off; one frame if None.
            sets: label sets of a stated error; none if None.
            task: index into the schema's tasks.

        Returns:
            What was fitted; its ``fitted_on`` tells what it costs.

        Raises:
            SettingError: if the task is not asked at every frame, or the data has other classes.
            DataError: if there is no validation split, or too little of it for what is stated.
        """
        check_given("thresholds", thresholds, AlarmThresholds, RiskControl, SteadyLabels, NoneType)
        check_given("duration", duration, MinimumDuration, NoneType)
        check_given("sets", sets, ConformalLabels, NoneType)
        asked = self.check_task(data, task)
        if not data.videos("val"):
            raise DataError(
                f"{type(data).__name__} has no validation split, and decisions are fitted on nothing else.",
                "name a val split, or set data.val_fraction above 0",
            )
        with torch.inference_mode():
            judge = partial(self._judge, past=PastLabels())
            seen = observed_in(data, judge, torch.device(self.device), self.schema, task)
        wanted = Wanted(thresholds or AlarmThresholds(), duration or MinimumDuration(), sets)
        looked_at = isinstance(thresholds, BestPath) and not asked.labels.multi_label
        found = fitted(seen, wanted, timelines_of(data, task) if looked_at else ())
        self.decisions = {**self.decisions, asked.name: found}
        return found

    def check_task(self, data: ActionDataModule, task: int) -> Task:
        """The task, which must be asked at every frame.

        Raises:
            SettingError: if there is none, or the data has other classes; those that were added to the classifier must
                be counted as it counts them.
        """
        if not 0 <= task < len(self.schema.tasks):
            raise SettingError(
                f"There is no task {task}: the classifier has {len(self.schema.tasks)}.", "count the tasks from 0"
            )
        asked = self.schema.tasks[task]
        if not asked.per_frame:
            raise SettingError(
                f"The task {asked.name!r} is asked once a clip, so it has no events.", "choose a task of every frame"
            )
        given = data.schema.tasks[task].labels if task < len(data.schema.tasks) else None
        if given is None or asked.labels._replace(names=asked.labels.names[: len(given.names)]) != given:
            raise SettingError(
                f"{type(data).__name__} has other classes than the classifier.", "use the data it was trained on"
            )
        data.unknown.check_added(asked.labels.names[len(given.names) :], data.tasks[task].labels)
        return asked

    def decisions_of(self, task: int) -> Decisions | None:
        """Fitted decisions of a task; None where the likeliest class is the label.

        Raises:
            CheckpointError: if they were fitted for other classes.
        """
        asked = self.schema.tasks[task]
        found = self.decisions.get(asked.name)
        if found is not None:
            found.check(asked.labels, asked.name)
        return found

    def all_decisions(self) -> list[Decisions | None]:
        """Those of every task, in the order of the schema; see :meth:`decisions_of`."""
        return [self.decisions_of(number) for number in range(len(self.schema.tasks))]

    def _judge(self, batch: Batch, past: PastLabels) -> Predictions:
        return self.judged(self.score_in_evaluation(batch, past))

    def about_decisions(self) -> dict[str, Any]:
        """Fitted decisions as plain data, by task."""
        return {name: made.spec() for name, made in self.decisions.items()}

    def take_decisions(self, about: Mapping[str, Any] | None, allowed: Sequence[str] = ALLOWED_PACKAGES) -> None:
        """Take the decisions of a checkpoint; one without any decides by the likeliest class.

        Raises:
            CheckpointError: if they are none, or of other classes.
        """
        made = {str(name): rebuild(spec, allowed) for name, spec in (about or {}).items()}
        wrong = next((name for name, part in made.items() if not isinstance(part, Decisions)), None)
        tasks = [task.name for task in self.schema.tasks]
        if wrong is not None or set(made) - set(tasks):
            raise CheckpointError(
                f"The checkpoint's decisions are of {sorted(made)}, and its tasks are {tasks}.",
                "run gad-lightning calibrate again",
            )
        self.decisions = made
        self.all_decisions()

    def on_train_epoch_start(self) -> None:
        """Decide by the likeliest class again, with a warning: other weights give other scores."""
        self.drop_decisions("Training makes other scores")

    def drop_decisions(self, why: str) -> None:
        """Decide by the likeliest class again, with a warning if something was fitted.

        Args:
            why: what was fitted no longer holds, a sentence without its full stop.
        """
        if self.decisions:
            self.decisions = {}
            warnings.warn(f"{why}, so the fitted decisions are dropped: calibrate again after it.", stacklevel=4)


def log_probabilities(scores: Tensor) -> Floats:
    """Scores as decisions take them: float64 on the CPU."""
    found: Floats = scores.detach().cpu().double().numpy()
    return found

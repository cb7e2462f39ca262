"""A rejection score with its threshold: which queries show none of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gad_lightning.errors import CheckpointError
from gad_lightning.exact_buffers import ExactBuffers
from gad_lightning.rebuilding import rebuild
from gad_lightning.rejection.base import RejectionScore
from gad_lightning.schema import UNKNOWN, DataSchema, LabelSet
from gad_lightning.types import Predictions


class Rejector(ExactBuffers):
    """Says which queries of one task show an action that is none of the classes.

    Args:
        score: fitted.
        task: index into the schema's tasks.
        over_background: whether a query whose likeliest class is the background can be unknown too.
        actions_only: whether the score knows of actions alone, neither of the background nor of what is ignored; None:
            unless ``over_background``. An unknown action that looks a little like background is then no less unknown.
    """

    threshold: Tensor

    def __init__(
        self,
        score: RejectionScore,
        task: int = 0,
        over_background: bool = False,
        actions_only: bool | None = None,
    ) -> None:
        super().__init__()
        self.score, self.task, self.over_background = score, task, over_background
        self.actions_only = not over_background if actions_only is None else actions_only
        self.register_buffer("threshold", torch.zeros(()))

    def known(self, labels: LabelSet) -> Tensor:
        """Classes that the score knows of: (K,) int64, at least one."""
        alone = (labels.background, labels.ignore) if self.actions_only else ()
        kept = [index for index in range(len(labels.names)) if index not in alone]
        return torch.tensor(kept or [*range(len(labels.names))])

    def scored(self, states: Tensor, logits: Tensor, labels: LabelSet) -> Tensor:
        """Score queries of the task: states (Q, H), logits (Q, C) -> (Q,), larger for what is more unknown."""
        found: Tensor = self.score(states.float(), logits[:, self.known(labels).to(logits.device)].float())
        return found

    def forward(self, predictions: Predictions, schema: DataSchema) -> Tensor:
        """How far each query is above the threshold, (Q,); -inf for those that cannot be unknown."""
        labels, states = schema.tasks[self.task].labels, predictions.slot_states
        margin = self.scored(states, predictions.logits.to(states.device), labels) - self.threshold
        never = (predictions.task != self.task).to(margin.device)
        for index in (labels.background, labels.ignore):
            if index is not None and not (index == labels.background and self.over_background):
                never = never | (predictions.label == index).to(margin.device)
        return margin.masked_fill(never, -torch.inf)

    def shown(self, schema: DataSchema) -> DataSchema:
        """The schema with a last class :data:`UNKNOWN` for the task."""
        tasks = list(schema.tasks)
        labels = tasks[self.task].labels
        tasks[self.task] = tasks[self.task]._replace(labels=labels._replace(names=(*labels.names, UNKNOWN)))
        return schema._replace(tasks=tuple(tasks))

    def about(self) -> dict[str, Any]:
        """What makes it again, but for what it learned: plain data."""
        shapes = {name: list(values.shape) for name, values in self.score.state_dict().items()}
        score = self.score.spec()
        return {
            "score": score,
            "shapes": shapes,
            "task": self.task,
            "over_background": self.over_background,
            "actions_only": self.actions_only,
        }

    @classmethod
    def made_again(cls, about: Mapping[str, Any], allowed: tuple[str, ...]) -> Rejector:
        """Make what :meth:`about` describes, with room for what was learned.

        Raises:
            CheckpointError: if it describes no score.
        """
        score = rebuild(about.get("score"), allowed)
        if not isinstance(score, RejectionScore) or not {"shapes", "task", "over_background"} <= set(about):
            raise CheckpointError(
                f"The checkpoint's rejection has a {type(score).__name__} as its score, and {sorted(about)}.",
                "use another checkpoint, or fit the rejection again",
            )
        score.make_room(about["shapes"])
        # earlier ones knew of all classes
        return cls(score, int(about["task"]), bool(about["over_background"]), bool(about.get("actions_only")))

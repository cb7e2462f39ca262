"""The contract of an objective."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from gad_lightning.backbones.base import Backbone
from gad_lightning.errors import SettingError
from gad_lightning.parts import Part, check_given
from gad_lightning.prompts.layout import Text
from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch, Loss, Tokens


class Objective(Part, nn.Module):
    """A training loss beside the class loss; prediction never runs it. A subclass gives :meth:`forward`.

    Args:
        weight: of this loss beside the class loss of weight 1, at least 0.

    Raises:
        SettingError: if the weight is below 0.
    """

    name: ClassVar[str] = "objective"
    """Under which the loss is logged, as ``train/<name>``."""
    writes: ClassVar[bool] = False
    """Whether the language model learns to write this objective's text. One objective of a classifier may."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        if weight < 0:
            raise SettingError(
                f"The weight of {type(self).__name__} must be at least 0, got {weight}.",
                "set it, or model.generation_weight, to 0 to leave this loss out",
            )
        self.weight = weight
        self.due = True  # whether it takes part in this batch, in all processes or in none

    def prepare(self, schema: DataSchema, backbone: Backbone, prefix: str) -> None:
        """Reserve new tokens or make layers; called once, before the backbone is built. By default nothing is done.

        Args:
            schema: classes, tasks, goals.
            backbone: prepared, not built; ask it for ``hidden_size`` and ``vocabulary``.
            prefix: fixed text before a written answer.
        """

    def begin(self, number: int, process: int, processes: int) -> None:
        """Told before each training batch which one it is; may set ``due`` to sit it out. By default nothing is done.

        Args:
            number: of the batch in the run, from 0; a run that was stopped goes on counting.
            process: that computes, from 0.
            processes: that compute together.
        """

    @property
    def longest(self) -> int:
        """Most tokens of a text of this objective; the classifier keeps positions free for them."""
        return 0

    def text(self, batch: Batch) -> Text | None:
        """Text after each query's opener, on the branch of the slot; None for none."""
        return None

    def text_beside(self, batch: Batch) -> Text | None:
        """Text on one more branch of each query, which neither sees the slot nor is seen by it; None for none."""
        return None

    @abstractmethod
    def forward(self, batch: Batch, tokens: Tokens, states: Tensor, backbone: Backbone) -> Loss:
        """Compute the loss.

        Args:
            batch: integers on the CPU.
            tokens: on the states' device.
            states: (R, T, H) of the tokens.
            backbone: for ``token_logits``.
        """


class ClassObjective(Objective):
    """An objective on what the head says of the classes. A subclass gives :meth:`of_scores`."""

    @abstractmethod
    def of_scores(self, batch: Batch, scores: Tensor) -> Loss:
        """Compute the loss.

        Args:
            batch: integers on the CPU.
            scores: (Q, C) float32 log-probabilities, of each class by itself where several can be true at once; -inf
                beyond a task's classes.
        """

    def forward(self, batch: Batch, tokens: Tokens, states: Tensor, backbone: Backbone) -> Loss:
        """Not called: the classifier has the scores at hand and calls :meth:`of_scores`."""
        raise NotImplementedError


def check_objectives(given: object) -> None:
    """Refuse what is no list of objectives; None stands for none.

    Raises:
        SettingError: naming the first that is none.
    """
    if not isinstance(given, list | tuple | None):
        raise SettingError(
            f"objectives must be a list, and is the {type(given).__name__} {str(given)[:80]!r}.",
            "give a list, also of one objective: objectives=[...]",
        )
    for index, objective in enumerate(given or ()):
        check_given(f"objectives[{index}]", objective, Objective)

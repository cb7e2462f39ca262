"""GAD's objective: write the label and its context after [CLS]."""

from __future__ import annotations

from types import NoneType
from typing import ClassVar, Literal

import torch
from torch import Tensor

from gad_lightning.backbones.base import Backbone
from gad_lightning.errors import SettingError
from gad_lightning.losses import token_weights
from gad_lightning.objectives.agreement import GradientAgreement
from gad_lightning.objectives.base import Objective
from gad_lightning.objectives.head_loss import head_loss
from gad_lightning.parts import check_given
from gad_lightning.prompts.answers import AnswerWriter, stack
from gad_lightning.prompts.contexts.base import AuxiliaryContext
from gad_lightning.prompts.contexts.no_context import NoContext
from gad_lightning.prompts.labels.base import LabelTokens
from gad_lightning.prompts.labels.words import WordLabels
from gad_lightning.prompts.layout import Text
from gad_lightning.schema import DataSchema
from gad_lightning.types import IGNORED, Batch, Loss, Tokens

OF_NEIGHBORS = 1 / 8
"""Fraction of the queries on one trunk that are answered by default."""


class WriteAnswer(Objective):
    """Cross entropy of the answer's tokens. They see the slot; the slot does not see them.

    Args:
        context: what is told beside the label; nothing by default.
        labels: how a class is written; in words by default.
        answer_fraction: fraction of the queries that are answered, in (0, 1]. By default one in eight of the neighbors
            that share a trunk in one pass, and all in windows, as published.
        weight: lambda of the paper; or ``agree``: as far as both losses' gradients at the slot point the same way.

    Raises:
        SettingError: if ``answer_fraction`` lies outside (0, 1], context or labels are of another kind, or the weight
            is ``agree`` where the text does not follow the slot.

    Source: Pang et al., ICLR 2026, generation-assisted discrimination.
    """

    name: ClassVar[str] = "generation"
    writes: ClassVar[bool] = True
    follows_slot: ClassVar[bool] = True
    """Whether the text sees the slot."""

    def __init__(
        self,
        context: AuxiliaryContext | None = None,
        labels: LabelTokens | None = None,
        answer_fraction: float | None = None,
        weight: float | Literal["agree"] = 1.0,
    ) -> None:
        super().__init__(1.0 if weight == "agree" else checked_weight(weight))
        self.agreement = GradientAgreement() if weight == "agree" else None
        if self.agreement is not None and not self.follows_slot:
            raise SettingError(
                f"generation_weight is agree, and the text of {type(self).__name__} does not follow the slot, so their "
                "gradients never meet there.",
                "set model.generation_weight to a number",
            )
        check_given("context", context, AuxiliaryContext, NoneType)
        check_given("labels", labels, LabelTokens, NoneType)
        if answer_fraction is not None and not 0 < answer_fraction <= 1:
            raise SettingError(
                f"answer_fraction is a part of the queries and must lie in (0, 1], got {answer_fraction}.",
                "use 1 for all",
            )
        self.context = context or NoContext()
        self.labels = labels or WordLabels()
        self.answer_fraction = answer_fraction

    def prepare(self, schema: DataSchema, backbone: Backbone, prefix: str) -> None:
        """Encode the classes."""
        usual = OF_NEIGHBORS if schema.windows.mode == "one_pass" else 1.0
        self.answered = usual if self.answer_fraction is None else self.answer_fraction
        self.answer_writer = AnswerWriter(schema, self.labels, self.context, backbone.vocabulary, prefix)

    def writer(self) -> AnswerWriter:
        """The answers of this objective."""
        return self.answer_writer

    @property
    def longest(self) -> int:
        """Tokens of the longest answer."""
        return self.answer_writer.longest

    def chosen(self, batch: Batch) -> Tensor:
        """Which queries are answered: those whose own random number lies below the fraction, (Q,) bool."""
        return batch.uniform < self.answered

    def text(self, batch: Batch) -> Text | None:
        """The answers."""
        return stack(self.answer_writer.answers(batch, self.chosen(batch)))

    def forward(self, batch: Batch, tokens: Tokens, states: Tensor, backbone: Backbone) -> Loss:
        """Compute the language model's head at the tokens to be learned only."""
        return written_loss(tokens, states, backbone, torch.ones(len(batch.label), device=states.device))


def checked_weight(given: object) -> float:
    """Return a weight that is a number.

    Raises:
        SettingError: if it is none.
    """
    if isinstance(given, int | float):
        return float(given)
    raise SettingError(f"generation_weight is {given!r}.", "set it to a number of at least 0, or to agree")


def written_loss(tokens: Tokens, states: Tensor, backbone: Backbone, weight: Tensor) -> Loss:
    """Token loss of everything rendered as a target, a query's tokens averaged; ``weight`` (Q,) by query."""
    target = tokens.target.reshape(-1)
    supervised = (target != IGNORED).nonzero().squeeze(1)
    # the token after a supervised one belongs to the query, also where the supervised one is the trunk's last
    owner = tokens.query.reshape(-1)[supervised]
    owner = torch.where(owner < 0, _owners_of_trunk(tokens, supervised), owner)
    share, count = token_weights(owner, weight)
    return Loss(head_loss(backbone, states.reshape(-1, states.shape[-1])[supervised], target[supervised], share), count)


def _owners_of_trunk(tokens: Tokens, supervised: Tensor) -> Tensor:
    """Query of a branch that begins right after a supervised trunk token: the first of its sample at that frame."""
    row, places = supervised // tokens.ids.shape[1], tokens.places
    frame, sample = places.frame.reshape(-1)[supervised], places.sample.reshape(-1)[supervised]
    same = (places.frame[row] == frame.unsqueeze(1)) & (places.sample[row] == sample.unsqueeze(1))
    first = (same & (tokens.query[row] >= 0)).int().argmax(1) if len(row) else row
    return tokens.query[row, first].clamp(min=0)

"""The previous action as a second head: the context is classified instead of written."""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import ClassVar

import torch
from torch import Tensor

from gad_lightning.backbones.base import Backbone
from gad_lightning.errors import SettingError
from gad_lightning.heads.base import ClassifierHead, check_factory, check_widths, make_heads
from gad_lightning.heads.linear import LinearHead
from gad_lightning.losses import class_loss
from gad_lightning.objectives.base import Objective
from gad_lightning.parts import Part, check_given, checked_part
from gad_lightning.prompts.answers import context_queries
from gad_lightning.prompts.contexts.base import AuxiliaryContext
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.layout import Text
from gad_lightning.schema import DataSchema, LabelSet
from gad_lightning.types import IGNORED, Batch, Loss, Tokens

OPENER = "<previous>"
"""The learned vector that is this head's own slot."""
NOTHING = "nothing before"
"""The class, after all others, of queries that nothing comes before."""


class PreviousActionHead(Objective):
    """A second head, trained to name the action before, on the state of the slot or on a slot of its own.

    The paper gives a figure and no rule, so this is our reading. "Prev disc" is a linear head like the first, with
    weights of its own, on the same [CLS] state. "Disc+" has a second learned vector instead, on a branch of its own, so
    that neither slot sees the other. Both learn what GAD's text tells, and one more class for queries that nothing
    comes before. Neither is run at test.

    Args:
        own_slot: whether it reads a slot of its own ("disc+"), and not the [CLS] ("prev disc").
        context: what is to be named, the first class of it; the previous action by default.
        head: factory ``(hidden_size, labels) -> ClassifierHead``, called once per label set.
        weight: of this loss beside the class loss of weight 1.

    Source: Pang et al., ICLR 2026, ablation "auxiliary discriminative head".
    """

    name: ClassVar[str] = "previous_action"

    def __init__(
        self,
        own_slot: bool = False,
        context: AuxiliaryContext | None = None,
        head: Callable[[int, LabelSet], ClassifierHead] = LinearHead,
        weight: float = 1.0,
    ) -> None:
        super().__init__(weight)
        check_given("context", context, AuxiliaryContext, NoneType)
        check_factory(head, "PreviousActionHead.head")
        self.own_slot, self.context, self.make_head = own_slot, context or PreviousActions(), head

    def prepare(self, schema: DataSchema, backbone: Backbone, prefix: str) -> None:
        """Make the heads and reserve the slot."""
        self.schema = schema
        sets = [LabelSet((*labels.names, NOTHING)) for labels in schema.label_sets]
        self.heads = make_heads(self.make_head, backbone.hidden_size, sets, "PreviousActionHead.head")
        check_widths(self.heads, backbone.hidden_size, sets, "PreviousActionHead.head")
        self.opener = backbone.vocabulary.new_token(OPENER) if self.own_slot else None

    def made(self) -> dict[str, tuple[Part, int]]:
        """The head, of whatever class the factory makes."""
        return {"head": (checked_part(self.heads[0], ClassifierHead, "PreviousActionHead.head"), 2)}

    @property
    def longest(self) -> int:
        """The slot."""
        return int(self.own_slot)

    def text_beside(self, batch: Batch) -> Text | None:
        """The slot alone, if it is a slot of its own; nothing is written after it."""
        if self.opener is None:
            return None
        ids = torch.full((len(batch.label), 1), self.opener)
        return Text(ids, torch.zeros_like(ids, dtype=torch.bool))

    def targets(self, batch: Batch) -> Tensor:
        """What is to be named: (Q,) int64, C for nothing, IGNORED where the query is not scored.

        Raises:
            SettingError: if the context tells something else than a class.
        """
        every = torch.ones(len(batch.label), dtype=torch.bool)
        named = []
        for query, task in zip(context_queries(batch, self.schema, every), batch.task.tolist(), strict=True):
            told = [] if query is None else self.context.context(query)
            if told and isinstance(told[0], str):
                raise SettingError(
                    f"PreviousActionHead names a class, and its context {type(self.context).__name__} "
                    f"tells {told[0]!r}.",
                    "give it a context of actions, such as PreviousActions or NextActions",
                )
            nothing = len(self.schema.tasks[task].labels.names)
            named.append(IGNORED if query is None else told[0] if told else nothing)
        return torch.tensor(named, dtype=torch.int64)

    def slot_states(self, tokens: Tokens, states: Tensor) -> Tensor:
        """States that are read, (Q, H)."""
        if self.opener is None:
            return tokens.at_slots(states)
        where = (tokens.ids.reshape(-1) == self.opener).nonzero().squeeze(1)
        rows = torch.empty_like(tokens.slots)
        rows[tokens.query.reshape(-1)[where]] = where
        return states.reshape(-1, states.shape[-1])[rows]

    def forward(self, batch: Batch, tokens: Tokens, states: Tensor, backbone: Backbone) -> Loss:
        """Compute the cross entropy of each query's own head."""
        read, label = self.slot_states(tokens, states), self.targets(batch).to(states.device)
        of_task = torch.tensor(self.schema.head_of_task)[batch.task].to(states.device)
        losses = []
        for index, head in enumerate(self.heads):
            asked = of_task == index  # every head takes part in every step, if only with no rows
            logits = head(read[asked])
            losses.append(class_loss(logits, label[asked], torch.ones_like(logits[:, 0])))
        return Loss(
            torch.stack([loss.sum for loss in losses]).sum(), torch.stack([loss.count for loss in losses]).sum()
        )

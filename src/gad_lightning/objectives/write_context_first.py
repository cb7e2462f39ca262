"""The generative-first order: context, then the slot."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.backbones.base import Backbone
from gad_lightning.errors import SettingError
from gad_lightning.objectives.write_answer import WriteAnswer
from gad_lightning.prompts.answers import AnswerWriter, stack
from gad_lightning.prompts.contexts.no_context import NoContext
from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch


class WriteContextFirst(WriteAnswer):
    """The context is written first and the slot stands after it; the label is written on a branch of its own.

    Our reading, as the paper gives no rule: in training the slot follows the true context, at test the one that the
    model writes. It must not see the label, nor a context that was written in the sight of it, for then it would learn
    to read the answer off. So the context comes before the label here, and the label hangs off the trunk alone.

    In training every query has its context in sight; only those that are ``wanted`` learn to write it. A context that
    looks at the label itself, such as the published previous action, tells the slot something of it.

    Args:
        **writing: see :class:`WriteAnswer`.

    Raises:
        SettingError: without a context: the slot would follow nothing.

    Source: Pang et al., ICLR 2026, ablation of the order.
    """

    def prepare(self, schema: DataSchema, backbone: Backbone, prefix: str) -> None:
        """Encode the classes, for the context and for the label."""
        if isinstance(self.context, NoContext):
            raise SettingError(
                "With the order generative_first the slot follows the context, and there is none.",
                "set context, or order: parallel, which then differs in nothing else",
            )
        self.settle(schema)
        self.answer_writer = AnswerWriter(schema, self.labels, self.context, backbone.vocabulary)
        self.label_writer = AnswerWriter(schema, self.labels, NoContext(), backbone.vocabulary, prefix)

    def text(self, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """The contexts."""
        every = torch.ones(len(batch.label), dtype=torch.bool)
        ids, target = stack(self.answer_writer.answers(batch, every, context_only=True))
        return ids, target & self.wanted(batch).unsqueeze(1)

    def apart(self, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """The labels, unless the context is to be written without."""
        if not self.context.with_label:
            return None
        return stack(self.label_writer.answers(batch, self.wanted(batch)))

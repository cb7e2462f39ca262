"""GAD: the discriminative classifier that also writes the answer while it trains."""

from __future__ import annotations

from typing import Any

from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.objectives.base import Objective
from gad_lightning.objectives.write_answer import WriteAnswer
from gad_lightning.prompts.contexts.base import AuxiliaryContext
from gad_lightning.prompts.labels.base import LabelTokens


class GADClassifier(DiscriminativeClassifier):
    """Reads the class off the slot, and in training also writes label and context after it.

    Scoring is inherited: at test nothing is generated, so GAD costs what :class:`DiscriminativeClassifier` costs.

    Args:
        context: what is written beside the label; nothing by default.
        labels: how a class is written; in words by default.
        generation_weight: lambda, weight of the token loss beside the class loss of weight 1.
        answered_share: share of the queries whose answer is rendered in training, in (0, 1].
        objectives: further training losses beside that.
        **discriminative: see :class:`DiscriminativeClassifier`.

    Source: Pang et al., ICLR 2026, generation-assisted discriminative classifier; lambda 1.
    """

    def __init__(
        self,
        context: AuxiliaryContext | None = None,
        labels: LabelTokens | None = None,
        generation_weight: float = 1.0,
        answered_share: float = 1.0,
        objectives: list[Objective] | None = None,
        **discriminative: Any,
    ) -> None:
        write = WriteAnswer(context, labels, answered_share, generation_weight)
        super().__init__(objectives=[write, *(objectives or [])], **discriminative)

"""GAD: the discriminative classifier that also writes the answer while it trains."""

from __future__ import annotations

from typing import Any, ClassVar

from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.objectives.base import Objective, check_objectives
from gad_lightning.objectives.write_answer import WriteAnswer
from gad_lightning.prompts.contexts.base import AuxiliaryContext
from gad_lightning.prompts.labels.base import LabelTokens


class GADClassifier(DiscriminativeClassifier):
    """The discriminative classifier, which in training also writes label and context after its [CLS].

    A head reads the class off the [CLS], as in :class:`DiscriminativeClassifier`. :class:`WriteAnswer` lets the
    language model write the answer behind it. The loss is ``class loss + generation_weight * token loss``. The text
    sees the [CLS], which does not see the text. So the text is left out at test: scoring is inherited, nothing is
    generated, and GAD costs what the discriminative classifier costs.

    Args:
        context: what is written beside the label, such as :class:`PreviousActions`; nothing by default.
        labels: how a class is written; in words by default.
        generation_weight: lambda, weight of the token loss beside the class loss of weight 1.
        answer_fraction: fraction of the queries whose answer is written in training, in (0, 1]; by default one in
            eight in one pass, all in windows.
        objectives: further training losses.
        **discriminative: see :class:`DiscriminativeClassifier`.

    Source: Pang et al., ICLR 2026, generation-assisted discriminative classifier; lambda 1.
    """

    training_only: ClassVar[tuple[str, ...]] = (
        *DiscriminativeClassifier.training_only,
        "context",
        "labels",
        "generation_weight",
        "answer_fraction",
    )

    def __init__(
        self,
        context: AuxiliaryContext | None = None,
        labels: LabelTokens | None = None,
        generation_weight: float = 1.0,
        answer_fraction: float | None = None,
        objectives: list[Objective] | None = None,
        **discriminative: Any,
    ) -> None:
        check_objectives(objectives)
        write = WriteAnswer(context, labels, answer_fraction, generation_weight)
        super().__init__(objectives=[write, *(objectives or [])], **discriminative)

"""Error diversity: does a classifier always make the same mistakes."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gad_lightning.metrics.frame_metric import LabelMetric
from gad_lightning.metrics.functional.error_diversity import check_at_errors, error_entropies, mean_entropy


class ErrorDiversity(LabelMetric):
    """Mean over classes of the entropy of their wrong labels, in nats, 0 or more; 0 when there is no error.

    For each true class with errors: H = -sum q ln q over the shares q of its wrong labels. Entropy of few errors is
    low by itself (of 20 equally likely labels, 3.00 nats in truth, it is 1.47 with 5 errors and 2.95 with 200), so a
    better model looks less diverse: compare models with ``at_errors`` set, the expected entropy of that many errors
    drawn from each class without replacement (computed exactly). Classes with fewer errors are then left out;
    ``nan`` when none has enough.

    Args:
        num_classes: number of classes ``C``, background included.
        background: None counts every class; else frames that are background in truth or prediction are left out.
        ignore_index: label whose true frames are left out, or None.
        at_errors: None, or the number of errors a class that models are compared at.
        **frames: ``gaps`` and ``conflicts``, see :class:`~gad_lightning.FrameMetric`.

    Raises:
        SettingError: if a setting is out of its range.

    Source: Pang et al., On Discriminative vs. Generative Classifier, ICLR 2026, report such a number without its
    formula; the formula is ours.

    Example:
        >>> import torch
        >>> metric = ErrorDiversity(num_classes=3)
        >>> frames = torch.arange(4)
        >>> metric(torch.tensor([1, 1, 2, 2]), torch.tensor([0, 0, 0, 0]), frames * 0, frames)
        tensor(0.6931)
    """

    higher_is_better = None
    plot_upper_bound = None

    def __init__(
        self,
        num_classes: int,
        background: int | None = None,
        ignore_index: int | None = None,
        at_errors: int | None = None,
        **frames: Any,
    ) -> None:
        super().__init__(num_classes, background=background, ignore_index=ignore_index, **frames)
        check_at_errors(at_errors)
        self.at_errors = at_errors

    def compute(self) -> Tensor:
        """Mean entropy in nats: () float32."""
        return self._details()["diversity"].to(self.device)

    def details(self) -> dict[str, Tensor]:
        """The mean "diversity", "per_class" (C,), ``nan`` without enough errors, and the "errors" (C,)."""
        details: dict[str, Tensor] = super().details()
        return details

    def _details(self) -> dict[str, Tensor]:
        table = self.table()
        entropy, errors = error_entropies(table.preds, table.target, self.classes, self.at_errors)
        return {"diversity": mean_entropy(entropy, errors), "per_class": entropy.float(), "errors": errors}

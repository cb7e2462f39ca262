"""How many different wrong labels a classifier gives: the entropy of its errors."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.metrics.functional.labels import LabelSpace, check_pair

TERMS_AT_ONCE = 1 << 20
"""Terms of the expected entropy that are computed together; bounds the working memory."""


def check_at_errors(at_errors: int | None) -> None:
    """Refuse a number of errors below 1.

    Raises:
        SettingError: giving the value.
    """
    if at_errors is not None and at_errors < 1:
        raise SettingError(f"at_errors is {at_errors}.", "give the errors a class to compare at, such as 20, or None")


def _expected_terms(total: Tensor, count: Tensor, size: int) -> Tensor:
    """Expected -p ln p of one wrong label when ``size`` of a class's errors are drawn: (P,), (P,) -> (P,) float64.

    The draw is without replacement, so the label's count in it is hypergeometric, and entropy is a sum over labels:
    this is the exact mean over all draws, nothing is sampled.

    Args:
        total: errors of the class, at least ``size``.
        count: those of them with the label.
        size: errors drawn.
    """
    drawn = torch.arange(1, size + 1, dtype=torch.float64)
    share = drawn / size
    return torch.cat(
        [
            (_hypergeometric(many.unsqueeze(1), some.unsqueeze(1), drawn, size) * -share * share.log()).sum(1)
            for many, some in zip(
                total.double().split(max(1, TERMS_AT_ONCE // size)),
                count.double().split(max(1, TERMS_AT_ONCE // size)),
                strict=True,
            )
        ]
    )


def _hypergeometric(total: Tensor, count: Tensor, drawn: Tensor, size: int) -> Tensor:
    """Probability that ``drawn`` of ``size`` draws from ``total`` are of a kind with ``count`` members."""

    def log_choose(n: Tensor, k: Tensor) -> Tensor:
        """Logarithm of n over k."""
        return torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)

    rest = total - count
    possible = (drawn <= count) & (size - drawn <= rest)
    taken, left = torch.minimum(drawn, count), torch.minimum(size - drawn, rest).clamp(min=0)
    log = log_choose(count, taken) + log_choose(rest, left) - log_choose(total, torch.full_like(total, size))
    return log.exp().masked_fill(~possible, 0.0)


def error_entropies(
    preds: Tensor, target: Tensor, labels: LabelSpace, at_errors: int | None = None
) -> tuple[Tensor, Tensor]:
    """Entropy of the wrong labels of each class: (M,), (M,) -> (C,) float64 in nats and (C,) int64 errors, on the CPU.

    Entropy is ``nan`` for classes without errors, or with fewer than ``at_errors``.

    Args:
        preds: (M,) integer, every frame once.
        target: (M,) integer.
        labels: the classes. Frames of ignored truth are left out; with a background also those that are background
            in truth or prediction.
        at_errors: see :func:`_expected_terms`; None takes all errors.
    """
    wrong = labels.scored(target) & (preds != target)
    if labels.background is not None:
        wrong &= (preds != labels.background) & (target != labels.background)
    low = min(int(preds[wrong].min()), 0) if bool(wrong.any()) else 0
    span = max(labels.num_classes, int(preds[wrong].max()) + 1 if bool(wrong.any()) else 0) - low
    pair, count = torch.unique(target[wrong].long() * span + (preds[wrong].long() - low), return_counts=True)
    true, count = pair.div(span, rounding_mode="floor").cpu(), count.cpu()
    errors = torch.zeros(labels.num_classes, dtype=torch.int64).index_add_(0, true, count)
    enough = errors >= (at_errors or 1)
    kept = enough[true]
    true, count = true[kept], count[kept]
    if at_errors is None:
        share = count.double() / errors[true].double()
        terms = -share * share.log()
    else:
        kinds, kind = torch.unique(torch.stack([errors[true], count], 1), dim=0, return_inverse=True)
        terms = _expected_terms(kinds[:, 0], kinds[:, 1], at_errors)[kind]
    entropy = torch.zeros(labels.num_classes, dtype=torch.float64).index_add_(0, true, terms)
    return entropy.masked_fill(~enough, torch.nan), errors


def mean_entropy(entropy: Tensor, errors: Tensor) -> Tensor:
    """Mean over the classes that have an entropy: () float32; 0 if there is no error at all."""
    if not bool(errors.any()):
        return torch.zeros(())
    return entropy.nanmean().clamp(min=0).float()


def error_diversity(
    preds: Tensor,
    target: Tensor,
    *,
    num_classes: int,
    background: int | None = None,
    ignore_index: int | None = None,
    at_errors: int | None = None,
) -> Tensor:
    """Mean entropy of the wrong labels, in nats: () float32; see :class:`gad_lightning.ErrorDiversity`.

    Args:
        preds: (N,) integer, every frame once.
        target: (N,) integer.
        num_classes: number of classes, background included.
        background: None counts every class; else frames that are background in truth or prediction are left out.
        ignore_index: frames with this truth are left out.
        at_errors: None, or the number of errors a class that models are compared at.

    Example:
        >>> error_diversity(torch.tensor([1, 1, 2, 2]), torch.tensor([0, 0, 0, 0]), num_classes=3)
        tensor(0.6931)
    """
    check_at_errors(at_errors)
    labels = LabelSpace(num_classes, background, ignore_index).checked()
    check_pair(preds, target, labels)
    return mean_entropy(*error_entropies(preds, target, labels, at_errors))

"""From hits to precision, recall and F1: overall, per class and per band of class frequency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypedDict

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.metrics.functional.frames import check_option
from gad_lightning.metrics.functional.labels import LabelSpace

Average = Literal["micro", "macro", "macro_all"]

BANDS = (("unseen", 0, 0), ("few", 1, 19), ("medium", 20, 100), ("many", 101, None))
"""Name, least and most training count of each band: what "rare" means everywhere.

The borders 20 and 100 are those of Liu et al., Large-Scale Long-Tailed Recognition in an Open World, CVPR 2019."""


class Counts(NamedTuple):
    """Segments (or points) of each class, (C,) int64 on the CPU; 0 for background and ignored classes."""

    hits: Tensor  # true positives
    predicted: Tensor  # true positives + false positives
    true: Tensor  # true positives + false negatives


class F1Scores(TypedDict):
    """Scores and the counts behind them, all of one shape: () or (C,)."""

    f1: Tensor
    precision: Tensor
    recall: Tensor
    tp: Tensor
    fp: Tensor
    fn: Tensor


class F1Details(F1Scores):
    """All that an F1 metric has counted."""

    per_class: F1Scores
    bands: dict[str, F1Scores]


def band_title(name: str) -> str:
    """Name and borders of a band.

    Example:
        >>> [band_title(name) for name, _, _ in BANDS]
        ['unseen (0)', 'few (1-19)', 'medium (20-100)', 'many (101 or more)']
    """
    low, high = next((low, high) for band, low, high in BANDS if band == name)
    return f"{name} ({low}{'' if low == high else ' or more' if high is None else f'-{high}'})"


def check_class_counts(class_counts: Sequence[int] | None, num_classes: int) -> None:
    """Refuse training counts that do not fit the classes.

    Raises:
        SettingError: if there is not one count a class.
    """
    if class_counts is not None and len(class_counts) != num_classes:
        raise SettingError(
            f"class_counts has {len(class_counts)} entries for {num_classes} classes.",
            "give one training count a class",
        )


def ratio(part: Tensor, whole: Tensor) -> Tensor:
    """``part / whole`` in float64, 0 where ``whole`` is 0."""
    return torch.where(whole > 0, part.double() / whole.clamp(min=1).double(), 0.0)


def f1_scores(counts: Counts) -> F1Scores:
    """Scores of counts of any shape, each 0 where it would be 0 / 0; float64."""
    return F1Scores(
        f1=ratio(2 * counts.hits, counts.predicted + counts.true),
        precision=ratio(counts.hits, counts.predicted),
        recall=ratio(counts.hits, counts.true),
        tp=counts.hits,
        fp=counts.predicted - counts.hits,
        fn=counts.true - counts.hits,
    )


def averaged(counts: Counts, labels: LabelSpace, average: Average = "micro") -> F1Scores:
    """Scores over all classes: () each.

    Args:
        counts: per class.
        labels: says which classes are actions.
        average: ``"micro"`` adds up the counts. ``"macro"`` is the mean of the classes' scores over the classes that
            occur, in truth or prediction. ``"macro_all"`` is the mean over all classes but background and the ignored
            one, a class that never occurs counting as 0, as published.

    Raises:
        SettingError: on another ``average``.
    """
    check_option("average", average, Average)
    total = f1_scores(Counts(*(count.sum() for count in counts)))
    if average == "micro":
        return total
    each = f1_scores(counts)
    chosen = labels.action_classes()
    if average == "macro":
        chosen &= counts.predicted + counts.true > 0
    over = max(int(chosen.sum()), 1)
    total["f1"] = each["f1"][chosen].sum() / over
    total["precision"] = each["precision"][chosen].sum() / over
    total["recall"] = each["recall"][chosen].sum() / over
    return total


def _by_frequency(counts: Counts, labels: LabelSpace, class_counts: Sequence[int]) -> dict[str, F1Scores]:
    """Micro scores of the action classes of each band of ``BANDS``; a band without a class is left out.

    Args:
        counts: per class.
        labels: says which classes are actions.
        class_counts: (C,) how often each class occurs in training.
    """
    seen, actions = torch.as_tensor(class_counts), labels.action_classes()
    bands = {}
    for name, least, most in BANDS:
        inside = actions & (seen >= least) & (seen <= (most if most is not None else seen.max()))
        if bool(inside.any()):
            bands[name] = f1_scores(Counts(*(count[inside].sum() for count in counts)))
    return bands


def f1_details(
    counts: Counts, labels: LabelSpace, average: Average = "micro", class_counts: Sequence[int] | None = None
) -> F1Details:
    """Everything about ``counts``: :func:`averaged`, per class, and :func:`_by_frequency` if training counts are given.

    Scores are float32 and counts int64.
    """
    check_class_counts(class_counts, labels.num_classes)
    total = averaged(counts, labels, average)
    bands = _by_frequency(counts, labels, class_counts) if class_counts is not None else {}
    return F1Details(
        **_rounded(total),
        per_class=_rounded(f1_scores(counts)),
        bands={name: _rounded(scores) for name, scores in bands.items()},
    )


def _rounded(scores: F1Scores) -> F1Scores:
    """Scores as float32."""
    return F1Scores(
        f1=scores["f1"].float(),
        precision=scores["precision"].float(),
        recall=scores["recall"].float(),
        tp=scores["tp"],
        fp=scores["fp"],
        fn=scores["fn"],
    )


def count_classes(labels: Tensor, num_classes: int) -> Tensor:
    """How often each class stands in (S,) labels, those below 0 left out: (C,) int64 on the CPU."""
    return torch.bincount(labels[labels >= 0], minlength=num_classes).cpu()

"""Usable information, in nats on held-out videos: what a context tells of the label, and what the slot tells of it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from gad_lightning.classifiers.choosing_context.probes import (
    OUTER,
    Floats,
    Ints,
    Probed,
    held_out_losses,
    penalties_of_first,
)

LEVEL = 0.95
"""Of every interval."""
VALUES = 50
"""Different values of one part of a context; rarer ones count as one."""


class Interval(NamedTuple):
    """Usable information, a mean over videos; the interval is Student's t.

    The probes of different folds share most of their videos, so that videos alone would give too narrow an interval.

    What a probe may leave out cannot harm it, so usable information is never below 0: a mean that is so (probes that
    fit chance) is shown as 0.
    """

    value: float
    low: float
    high: float

    @classmethod
    def over(cls, videos: Floats) -> Interval:
        """Mean of values (V,), at least 2, one a video.

        Source: of the error, Nadeau and Bengio, Inference for the Generalization Error, Machine Learning 2003.

        Example:
            >>> [round(part, 2) for part in Interval.over(np.array([0.0, 1.0, 2.0]))]
            [1.0, 0.0, 4.73]
        """
        count, mean = len(videos), float(videos.mean())
        error = float(videos.std(ddof=1)) * math.sqrt((1 + OUTER / (OUTER - 1)) / count)
        half = float(stats.t.ppf((1 + LEVEL) / 2, count - 1)) * error
        return cls(max(0.0, mean), max(0.0, mean - half), max(0.0, mean + half))

    def least(self, other: Interval) -> Interval:
        """The smaller of two; its interval holds it wherever both intervals hold theirs."""
        return Interval(*(min(pair) for pair in zip(self, other, strict=True)))


class Rows(NamedTuple):
    """What the slot showed at n moments of V videos, and what was true."""

    slot: Floats  # (n, d) each column of unit spread
    label: Ints  # (n,) 0..C-1
    video: Ints  # (n,) 0..V-1

    @property
    def asked(self) -> Probed:
        """The label, as what is to be told."""
        return Probed(self.label, int(self.label.max()) + 1, self.video)

    def penalties(self) -> tuple[float, ...]:
        """The slot's own, for :func:`told`."""
        return penalties_of_first(self.asked, self.slot)


class Coded(NamedTuple):
    """One part of a context as numbers."""

    code: Ints  # (n,)
    size: int  # different codes

    @property
    def columns(self) -> Floats:
        """A column a value: (n, size)."""
        found: Floats = np.eye(self.size)[self.code]
        return found


def coded(values: Sequence[Hashable]) -> Coded:
    """Number the values of one part, the most frequent :data:`VALUES` ones; all others count as one.

    Example:
        >>> coded(["salt", None, "salt"]).code.tolist()
        [0, 1, 0]
    """
    counts: dict[Hashable, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    kept = sorted(counts, key=lambda value: -counts[value])[:VALUES]
    number = {value: place for place, value in enumerate(kept)}
    code = np.array([number.get(value, len(kept)) for value in values], dtype=np.int64)
    return Coded(code, int(code.max()) + 1)


def told(rows: Rows, parts: Sequence[Coded], penalties: Sequence[float] | None = None) -> Floats:
    """What a context tells of the label that the slot does not, I(c -> label | slot), of each video in nats: (V,).

    The probe of the label may use the slot, and then the context beside it.

    Args:
        rows: slot and label.
        parts: of the context, at least one.
        penalties: ``rows.penalties()``, where they are known.

    Source: Hewitt et al., Conditional probing, EMNLP 2021; Xu et al., ICLR 2020.
    """
    columns = np.concatenate([part.columns for part in parts], axis=1)
    losses = held_out_losses(rows.asked, [rows.slot, columns], penalties)
    found: Floats = losses[1] - losses[2]
    return found


def shown(rows: Rows, parts: Sequence[Coded]) -> Floats:
    """What the slot tells of a context, I(slot -> c), of each video in nats: (V,).

    A context of several parts is told part by part, each with those before it known, as a text is written.

    Args:
        rows: slots.
        parts: of the context, at least one.
    """
    total = np.zeros(int(rows.video.max()) + 1)
    for place, part in enumerate(parts):
        known = [np.concatenate([other.columns for other in parts[:place]], axis=1)] if place else []
        losses = held_out_losses(Probed(part.code, part.size, rows.video), [*known, rows.slot])
        total += losses[-2] - losses[-1]
    return total

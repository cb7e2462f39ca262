"""The global alignment kernel: every way to run through two sequences side by side, summed."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from gad_lightning.errors import SettingError
from gad_lightning.kernels.base import SequenceKernel, SliceDistance, Slices

NEVER = -1e30
"""Logarithm of nothing; an infinity would make gradients NaN."""
APART = 1e-6
"""Squared distance above which two slices are different ones."""
SAMPLED = 256
"""Sequences, the first ones, that tell how far apart slices are."""
PAIRS_TOGETHER, ROWS_TOGETHER = 16384, 64
"""Pairs of sequences, and sequences with themselves, that are worked on at once."""


class AlignmentKernel(SequenceKernel):
    """How well two sequences align, order minded: 1 for equal ones, less the more is changed, left out or swapped.

    The sum over all alignments of the products of local kernels, in logarithms, divided by the geometric mean of both
    sequences' values with themselves, and clamped to [0, 1]. The local kernel is ``s / (2 - s)`` with
    ``s = exp(-d^2 / (2 sigma^2))`` and ``sigma = delta sqrt((n + m) / 2)`` for lengths n and m.

    Args:
        delta: scale of the distances that count as near, above 0; small ones let equal slices count only. ``auto``
            takes ``factor`` times the median distance of different slices, of all there can be or of the second batch.
        factor: of ``auto``, above 0.
        distance: of two slices; of rows of one tower by default.
        single_slice: what two sequences of one slice are compared by: the ``kernel``, as all others, or the ``cosine``
            (published).

    Raises:
        SettingError: if ``delta`` or ``factor`` is not above 0.

    Source: Cuturi, Fast global alignment kernels, ICML 2011; Chow et al., Sugar, NeurIPS 2024 (arXiv 2411.00304),
    equation 2. The division is ours: published values of equal sequences exceed 1.
    """

    def __init__(
        self,
        delta: float | Literal["auto"] = "auto",
        factor: float = 0.5,
        distance: SliceDistance | None = None,
        single_slice: Literal["kernel", "cosine"] = "kernel",
    ) -> None:
        given: dict[str, float | str] = {"factor": factor} if delta == "auto" else {"delta": delta, "factor": factor}
        for name, value in given.items():
            if isinstance(value, str) or not 0 < value < math.inf:
                raise SettingError(f"{name} of AlignmentKernel must be a number above 0, got {value!r}.", "try 0.5")
        self.delta, self.factor = delta, factor
        self.distance = distance or SliceDistance()
        self.single_slice = single_slice
        self.fitted: float | None = None

    def fit(self, slices: Slices) -> None:
        """Find the ``auto`` delta among all slices there can be."""
        self.fitted = self._median(slices)

    def compare(self, a: Slices, b: Slices) -> Tensor:
        """Align every pair; a batch with itself only once for both orders."""
        squared = self.distance.between(a, b)
        delta = self._delta(b)
        size = (len(a.counts), len(b.counts))
        left, right = torch.triu_indices(*size) if a is b else torch.ones(size).nonzero().T
        left, right = left.to(squared.device), right.to(squared.device)
        own_a = self._own(a, b.counts, delta)
        own_b = own_a if a is b else self._own(b, a.counts, delta)
        found = squared.new_zeros(size)
        for i, j in zip(left.split(PAIRS_TOGETHER), right.split(PAIRS_TOGETHER), strict=True):
            n, m = a.counts[i], b.counts[j]
            whole = log_alignment(local_log_kernel(squared[i, j], _sigma(delta, n, m)), n, m)
            value = (whole - 0.5 * (own_a[i, m] + own_b[j, n])).exp()
            if self.single_slice == "cosine":
                value = torch.where((n == 1) & (m == 1), 1 - squared[i, j, 0, 0] / 2, value)
            found[i, j] = value
            if a is b:
                found[j, i] = value
        return found

    def _own(self, slices: Slices, others: Tensor, delta: float) -> Tensor:
        """Log kernel of each sequence with itself, with the sigma beside another of m slices: (B, longest m + 1)."""
        counts, together = slices.counts, torch.arange(len(slices.counts)).split(ROWS_TOGETHER)
        parts = [slices.at(rows) for rows in together]
        squared = torch.cat([self.distance.between(part, part).diagonal().movedim(-1, 0) for part in parts])
        table = squared.new_zeros(len(counts), int(others.max()) + 1)
        for m in others.unique():
            sigma = _sigma(delta, counts, m)
            table[:, m] = log_alignment(local_log_kernel(squared, sigma), counts, counts)
        return table

    def _delta(self, slices: Slices) -> float:
        """The delta given, or that of ``auto``."""
        if not isinstance(self.delta, str):
            return self.delta
        return self._median(slices) if self.fitted is None else self.fitted

    def _median(self, slices: Slices) -> float:
        """``factor`` times the median distance of different slices, padding left out; 1 where all are equal."""
        some = slices.at(torch.arange(min(len(slices.counts), SAMPLED), device=slices.counts.device))
        squared = self.distance.between(some, some)
        real = some.real[:, None, :, None] & some.real[None, :, None, :]
        apart = squared[real & (squared > APART)]
        return self.factor * (float(apart.sqrt().median()) if len(apart) else 1.0)


def _sigma(delta: float, n: Tensor, m: Tensor) -> Tensor:
    """Scale of the local kernel for sequences of n and m slices: () or (P,) each -> (P,)."""
    return delta * ((n + m) / 2).sqrt()


def local_log_kernel(squared: Tensor, sigma: Tensor) -> Tensor:
    """Logarithm of ``s / (2 - s)`` with ``s = exp(-squared / (2 sigma^2))``.

    Args:
        squared: (P, N, M) squared distances; values below 0 count as 0.
        sigma: (P,), above 0.

    Returns:
        (P, N, M), at most 0.
    """
    scaled = squared.clamp(min=0.0) / (2 * sigma.square()).view(-1, 1, 1)
    return -(scaled + torch.log1p(-torch.expm1(-scaled)))


def log_alignment(log_kernel: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Logarithm of the sum over all alignments of two sequences of the product of local kernels.

    An alignment begins at both beginnings, ends at both ends, and goes on by one in the first sequence, in the second,
    or in both. All pairs run at once, one antidiagonal of their tables after the other.

    Args:
        log_kernel: (P, N, M) logarithms of the local kernels; what stands beyond a pair's lengths changes nothing.
        rows: (P,) int64 lengths of the first sequences, 1..N.
        columns: (P,) int64 lengths of the second, 1..M.

    Returns:
        (P,). Its gradient by ``log_kernel`` is the expected alignment, 0 beyond the lengths.

    Example:
        >>> ways = log_alignment(torch.zeros(1, 3, 3), torch.tensor([3]), torch.tensor([3])).exp()
        >>> round(float(ways), 3)
        13.0

    Source: Cuturi, ICML 2011; it is minus the soft-DTW of Cuturi and Blondel, ICML 2017, at gamma 1.
    """
    pairs, height, width = log_kernel.shape
    diagonals = height + width - 1
    # pad each row by its height and read it on at one less: row i is moved to the right by i
    skewed = pad(log_kernel, (0, height), value=NEVER).flatten(1)[:, : height * diagonals]
    steps = skewed.view(pairs, height, diagonals).permute(2, 0, 1).contiguous().unbind()
    before, last = torch.full_like(steps[0], NEVER), steps[0]
    found = [last]
    for step in steps[1:]:
        straight = torch.logaddexp(last, _moved(last))
        before, last = last, step + torch.logaddexp(straight, _moved(before))
        found.append(last)
    return torch.stack(found)[rows + columns - 2, torch.arange(pairs, device=rows.device), rows - 1]


def _moved(diagonal: Tensor) -> Tensor:
    """Values of the row above: (P, N) -> (P, N)."""
    return pad(diagonal[:, :-1], (1, 0), value=NEVER)

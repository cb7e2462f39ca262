"""Mean and spread of the training features, computed once and kept beside them."""

from __future__ import annotations

import hashlib
import json
import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from gad_lightning.atomic import atomic_write
from gad_lightning.data.records import FeatureSource
from gad_lightning.errors import DataError

ROWS_AT_ONCE = 1024  # float32 sums of a block this short are exact to 1e-6; blocks are added in float64
SPARSE = 0.5
"""A feature that has one value, its rest, in at least this share of the training values is sparse."""
ROUNDING = 1e-6
"""A spread below this share of the mean is float32 rounding: the feature never varied."""
RULE = 3
"""Version of the rule of :class:`Statistics`; statistics kept by an earlier one are computed again."""


class Statistics(NamedTuple):
    """What features are standardized by, ``(x - mean) / std``, each D floats. Every feature has its own rule.

    * Ordinary: mean and standard deviation over all frames and tokens of the training videos.
    * Sparse (at rest, mostly at zero, in at least half of the values): ``mean`` is the value at rest, so that zeros
      stay zeros, and ``std`` is the root mean square of the others' distance from it. A one-hot feature stays as it is.
    * Two values only: the lower becomes 0, the higher 1. A feature of zeros and ones stays as it is.
    * Constant: ``std`` is 1. What it does later is neither shrunk nor blown up.

    So no value becomes huge because it is rare, and the unit of one feature never changes another feature.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]  # above zero


class Kinds(NamedTuple):
    """How many of the D features are not ordinary, see :class:`Statistics`; no feature counts twice."""

    constant: int
    two_valued: int
    sparse: int


def feature_statistics(sources: Sequence[FeatureSource]) -> Statistics:
    """Statistics of every feature, or what was computed before for the same files.

    The result lies beside the first file, under a name made of the files' names, sizes, times and first and last
    bytes; several processes that ask at once compute it once. Frames in memory are never cached, and a folder that
    cannot be written to costs a warning and the time.

    Args:
        sources: the training videos, at least one.

    Raises:
        DataError: if a value is NaN or infinite, naming the file.
    """
    paths = [source.path for source in sources if source.path is not None]
    if len(paths) < len(sources) or not os.access(paths[0].parent, os.W_OK):
        if paths:
            warnings.warn(f"{paths[0].parent} cannot be written to, so feature statistics are not kept.", stacklevel=2)
        return _measure(sources)
    read = [path for source in sources for path in getattr(source, "paths", [source.path])]
    cache = paths[0].parent / f"statistics-{RULE}-{fingerprint(read)}.json"
    kept = _kept_in(cache)
    if kept is not None:
        return kept
    with FileLock(cache.with_name(".lock")):
        kept = _kept_in(cache)
        if kept is None:
            kept = _measure(sources)
            with atomic_write(cache) as part:
                part.write_text(json.dumps(kept._asdict()), encoding="utf-8")
    return kept


def _kept_in(cache: Path) -> Statistics | None:
    """Statistics of a file written before; None if there is none, or it is damaged and they are measured again."""
    try:
        found = json.loads(cache.read_text(encoding="utf-8"))
        mean, std = (tuple(float(value) for value in found[name]) for name in ("mean", "std"))
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None
    is_whole = len(mean) == len(std) > 0 and all(map(math.isfinite, mean + std)) and min(std) > 0
    return Statistics(mean, std) if is_whole else None


def _measure(sources: Sequence[FeatureSource]) -> Statistics:
    """Compute the statistics from all frames of at least one video: one pass, in float64 across blocks."""
    return _sums(sources, most=None).statistics()


def kinds(sources: Sequence[FeatureSource], most: int | None = 64) -> Kinds:
    """Count the features that are not ordinary.

    Args:
        sources: videos, at least one.
        most: frames looked at of each video, spread evenly over it; None looks at all.
    """
    return _sums(sources, most).kinds()


class _Sums:
    """Running sums of every feature (D columns)."""

    def __init__(self, first: NDArray[np.float32]) -> None:
        self.shift = first.mean((0, 1)).astype(np.float64)  # near the mean, so that squares lose no digits
        self.total, self.squares = np.zeros_like(self.shift), np.zeros_like(self.shift)
        self.zeros, self.count = np.zeros(len(self.shift), dtype=np.int64), 0
        self.rest = np.median(first, (0, 1)).astype(np.float64)  # other than zero, of the columns that may have one
        may_rest = (self.rest != 0) & ((first == self.rest).mean((0, 1)) >= SPARSE)
        self.resting, self.at_rest = np.flatnonzero(may_rest), np.zeros_like(self.zeros)
        self.low, self.high = (bound.astype(np.float64) for bound in (first.min((0, 1)), first.max((0, 1))))
        self.few = np.ones(len(self.shift), dtype=np.bool_)  # columns that have had no value but low and high

    def add(self, rows: NDArray[np.float32]) -> None:
        """Add values: (n, D)."""
        shifted = rows - self.shift.astype(np.float32)
        self.total += shifted.sum(0)
        self.squares += np.einsum("ij,ij->j", shifted, shifted)  # no copy of the squares: 8 x faster
        self.zeros += np.count_nonzero(rows == 0, axis=0)
        self.count += len(rows)
        if len(self.resting):
            at_rest = rows[:, self.resting] == self.rest[self.resting]
            self.at_rest[self.resting] += np.count_nonzero(at_rest, axis=0)
        columns = np.flatnonzero(self.few)
        if len(columns):
            self._bound(columns, rows[:, columns])

    def _bound(self, columns: NDArray[np.intp], rows: NDArray[np.float32]) -> None:
        """Widen the bounds of the columns that have had two values at most, and drop those that have a third one."""
        low, high = rows.min(0), rows.max(0)
        old_low, old_high = self.low[columns], self.high[columns]
        self.low[columns], self.high[columns] = np.minimum(low, old_low), np.maximum(high, old_high)
        few = ((rows == low) | (rows == high)).all(0)
        for bound in (low, high, old_low, old_high):
            few &= (bound == self.low[columns]) | (bound == self.high[columns])
        self.few[columns] = few

    def statistics(self) -> Statistics:
        """What all values make together."""
        mean, std = self._moments()
        constant, two_valued, sparse = self._kinds()
        rest = np.where(self.at_rest > self.zeros, self.rest, 0.0)
        moving = np.maximum(self.count - np.maximum(self.at_rest, self.zeros), 1)
        size = np.sqrt((std**2 + (mean - rest) ** 2) * (self.count / moving))
        mean = np.select([two_valued, sparse], [self.low, rest], mean)
        std = np.select([constant, two_valued, sparse], [np.ones_like(std), self.high - self.low, size], std)
        return Statistics(tuple(mean.tolist()), tuple(std.tolist()))

    def kinds(self) -> Kinds:
        """How many columns are of which kind."""
        return Kinds(*(int(chosen.sum()) for chosen in self._kinds()))

    def _moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        mean = self.total / self.count
        std = np.sqrt(np.maximum(self.squares / self.count - mean**2, 0.0))
        return mean + self.shift, std

    def _kinds(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        mean, std = self._moments()
        constant = (self.few & (self.low == self.high)) | (std <= ROUNDING * np.abs(mean))
        two_valued = self.few & ~constant
        at_rest = np.maximum(self.zeros, self.at_rest) >= SPARSE * self.count
        sparse = at_rest & ~constant & ~two_valued
        return constant, two_valued, sparse


def _sums(sources: Sequence[FeatureSource], most: int | None) -> _Sums:
    """Add up videos: all frames, or up to ``most`` of each."""
    sums = _Sums(sources[0].rows(np.arange(min(ROWS_AT_ONCE, sources[0].num_frames))))
    for source in sources:
        frames = np.arange(source.num_frames)
        if most is not None and len(frames) > most:
            frames = np.unique(np.linspace(0, len(frames) - 1, most).astype(np.int64))
        for start in range(0, len(frames), ROWS_AT_ONCE):
            block = source.rows(frames[start : start + ROWS_AT_ONCE])
            sums.add(block.reshape(-1, block.shape[-1]))
        if not np.isfinite(sums.squares).all():
            raise DataError(
                f"The features of {source.path or 'a video'} hold values too large to be squared in float32 "
                "(above 1e19).",
                "scale that feature, or encode again",
            )
    return sums


def fingerprint(paths: Sequence[Path]) -> str:
    """Tell files apart cheaply: a hash of names, sizes, times of change, and the first and last 4096 bytes of each."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        about = path.stat()
        digest.update(f"{path.name}/{about.st_size}/{about.st_mtime_ns}/".encode())
        with path.open("rb") as file:
            digest.update(file.read(4096))
            file.seek(max(0, about.st_size - 4096))
            digest.update(file.read(4096))
    return digest.hexdigest()[:16]

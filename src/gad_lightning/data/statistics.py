"""Mean and spread of the training features, computed once and kept beside them."""

from __future__ import annotations

import hashlib
import json
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
SMALLEST_STD = 1e-3
"""Floor of a feature's spread, as a share of the root mean square spread of all: one that never varied in training
must not blow up what it does later."""


class Statistics(NamedTuple):
    """Per feature, over all frames and tokens of the training videos; each D floats."""

    mean: tuple[float, ...]
    std: tuple[float, ...]  # above zero


def feature_statistics(sources: Sequence[FeatureSource]) -> Statistics:
    """Mean and standard deviation of every feature, or what was computed before for the same files.

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
        return measure(sources)
    read = [path for source in sources for path in getattr(source, "paths", [source.path])]
    cache = paths[0].parent / f"statistics-{fingerprint(read)}.json"
    if not cache.is_file():
        with FileLock(cache.with_name(".lock")):
            if not cache.is_file():
                with atomic_write(cache) as part:
                    part.write_text(json.dumps(measure(sources)._asdict()))
    kept = json.loads(cache.read_text())
    return Statistics(tuple(kept["mean"]), tuple(kept["std"]))


def measure(sources: Sequence[FeatureSource]) -> Statistics:
    """Compute the statistics from the frames: one pass, in float64 across blocks."""
    shift = sources[0].rows(np.arange(min(ROWS_AT_ONCE, sources[0].num_frames))).mean((0, 1))
    total, squares, count = np.zeros(len(shift)), np.zeros(len(shift)), 0
    for source in sources:
        for start in range(0, source.num_frames, ROWS_AT_ONCE):
            block = source.rows(np.arange(start, min(start + ROWS_AT_ONCE, source.num_frames)))
            rows = block.reshape(-1, block.shape[-1]) - shift
            total += rows.sum(0)
            squares += np.einsum("ij,ij->j", rows, rows)  # no copy of the squares: 8 x faster than (rows * rows).sum
            count += len(rows)
        if not np.isfinite(squares).all():
            raise DataError(
                f"The features of {source.path or 'a video'} hold values that are too large.", "encode again"
            )
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return Statistics(tuple((mean + shift).tolist()), tuple(_floored(std).tolist()))


def _floored(std: NDArray[np.float64]) -> NDArray[np.float64]:
    overall = float(np.sqrt((std**2).mean()))
    return np.maximum(std, SMALLEST_STD * overall) if overall > 0 else np.ones_like(std)


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

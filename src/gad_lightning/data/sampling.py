"""Randomness and order as pure functions of (seed, epoch, ...): no state to save, none to lose in a worker process."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gad_lightning.data.windows import IntArray


class Stream(IntEnum):
    """What a random number is for; different streams are independent."""

    OFFSET = 0
    ORDER = 1
    ANSWER = 2
    BACKGROUND = 3
    MEMORY = 4


def draws(seed: int, epoch: int, stream: Stream, *columns: IntArray) -> NDArray[np.float64]:
    """Draw a uniform number in [0, 1) for each row of ``columns``, from a hash of all that is given.

    The numbers are multiples of 2 ** -24, so that float32 holds them exactly and none is rounded up to 1.

    Args:
        seed: of the run.
        epoch: from 0.
        stream: what the numbers are for.
        *columns: each (n,) int64, such as the video and the ordinal of n queries.

    Returns:
        (n,) float64.

    Source: the mixing function is SplitMix64 (Steele et al., Fast Splittable Pseudorandom Number Generators, 2014).
    """
    state = np.zeros(1, dtype=np.uint64)
    for column in (np.array([seed]), np.array([epoch]), np.array([int(stream)]), *columns):
        state = _mix(state + (column.astype(np.int64).view(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
    return (state >> np.uint64(40)).astype(np.float64) * 2.0**-24


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


class BatchKey(NamedTuple):
    """Names a batch: all that a worker process needs to make it."""

    epoch: int
    samples: tuple[int, ...]  # sample numbers within the epoch's plan; none for a batch of which nothing is asked

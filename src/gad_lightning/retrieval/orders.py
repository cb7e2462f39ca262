"""Steps in an order: the best chain of moments in each video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gad_lightning.retrieval.moment_index import Neighbors


class Chain(NamedTuple):
    """One moment a step, each beginning after the one before."""

    numbers: tuple[int, ...]  # rows of the table of moments
    score: float  # mean over the steps


def best_chains(found: Sequence[Neighbors], moments: NDArray[np.void], count: int = 10) -> list[Chain]:
    """The best chain of each video that has all steps in their order, the best videos first.

    Args:
        found: candidates of each step.
        moments: the table that they are rows of.
        count: most chains given.
    """
    if not found:
        return []
    videos = set.intersection(*(set(moments["video"][step.numbers].tolist()) for step in found))
    chains = [chain for video in sorted(videos) if (chain := _best_of(video, found, moments)) is not None]
    return sorted(chains, key=lambda chain: -chain.score)[:count]


def _best_of(video: int, found: Sequence[Neighbors], moments: NDArray[np.void]) -> Chain | None:
    """The best chain of a video; None if its steps come in another order only."""
    before: list[tuple[float, float, tuple[int, ...]]] = [(-np.inf, 0.0, ())]  # start, sum, moments
    for step in found:
        own = moments["video"][step.numbers] == video
        here = zip(step.numbers[own].tolist(), step.scores[own].tolist(), strict=True)
        after = []
        for number, score in here:
            start = float(moments["start"][number])
            fitting = [chain for chain in before if chain[0] < start]
            if fitting:
                _, total, numbers = max(fitting, key=lambda chain: chain[1])
                after.append((start, total + score, (*numbers, number)))
        before = after
    if not before:
        return None
    _, total, numbers = max(before, key=lambda chain: chain[1])
    return Chain(numbers, total / len(found))

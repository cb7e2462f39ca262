"""Steps in an order: the best chain, found among all chains."""

from __future__ import annotations

from itertools import product

import numpy as np

from gad_lightning.retrieval.moment_index import Neighbors
from gad_lightning.retrieval.orders import best_chains
from tests.retrieval.making import moments_of

MOMENTS = moments_of(
    [
        (0, 0, 2, 1, 0),
        (0, 4, 6, 2, 0),
        (0, 8, 9, 3, 0),
        (1, 5, 6, 1, 0),
        (1, 1, 2, 2, 0),
        (2, 0, 1, 1, 0),
        (2, 3, 4, 2, 0),
    ]
)


def neighbors(*pairs: tuple[int, float]) -> Neighbors:
    """Candidates of one step."""
    return Neighbors(np.array([number for number, _ in pairs]), np.array([score for _, score in pairs], np.float32))


def test_only_videos_with_all_steps_in_their_order_are_found_best_first() -> None:
    cut, salt = neighbors((0, 0.5), (3, 0.9), (5, 0.6)), neighbors((1, 0.5), (4, 0.9), (6, 0.8))
    chains = best_chains([cut, salt], MOMENTS)
    assert [chain.numbers for chain in chains] == [(5, 6), (0, 1)]  # in video 1 the salt comes first
    assert abs(chains[0].score - 0.7) < 1e-6
    assert [chain.numbers for chain in best_chains([cut, salt], MOMENTS, count=1)] == [(5, 6)]
    assert best_chains([cut, neighbors((2, 0.1))], MOMENTS)[0].numbers == (0, 2)
    assert best_chains([], MOMENTS) == []


def test_the_chain_of_a_video_is_the_best_of_all() -> None:
    random = np.random.default_rng(0)
    moments = moments_of([(0, float(start), float(start) + 1, 0, 0) for start in random.permutation(12)])
    steps = [neighbors(*((number, float(random.random())) for number in range(12))) for _ in range(3)]
    best = 0.0
    for chosen in product(range(12), repeat=3):
        starts = [moments["start"][number] for number in chosen]
        if starts[0] < starts[1] < starts[2]:
            best = max(best, sum(float(step.scores[number]) for step, number in zip(steps, chosen, strict=True)) / 3)
    (chain,) = best_chains(steps, moments)
    assert abs(chain.score - best) < 1e-6

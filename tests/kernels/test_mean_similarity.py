"""Mean similarity: a plain loop, and blindness to order."""

from __future__ import annotations

import torch

from gad_lightning.kernels.mean_similarity import MeanSimilarity
from tests.kernels.making import of_classes, random_table


def test_it_equals_a_loop_over_all_slices() -> None:
    sequences, table = [[0, 1, 2], [3, 1], [4]], random_table()
    slices = of_classes(sequences, table)
    found = MeanSimilarity()(slices, slices)
    for i, one in enumerate(sequences):
        for j, other in enumerate(sequences):
            mean = sum(float(table[x] @ table[y]) for x in one for y in other) / (len(one) * len(other))
            assert abs(float(found[i, j]) - max(mean, 0.0)) < 1e-6


def test_it_cannot_see_order() -> None:
    slices = of_classes([[0, 1, 2], [2, 1, 0]])
    found = MeanSimilarity()(slices, slices)
    assert torch.allclose(found, found[0, 0].expand(2, 2))

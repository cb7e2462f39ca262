"""Slices and the distance of two."""

from __future__ import annotations

import torch

from gad_lightning.kernels.base import SliceDistance, squared_distances
from tests.kernels.making import of_classes, random_table


def test_distances_are_two_less_two_cosines() -> None:
    a, b = of_classes([[0, 1], [2, 3], [4]], random_table()), of_classes([[5, 6, 7]], random_table())
    found = SliceDistance().between(a, b)
    assert found.shape == (3, 1, 2, 3)
    for i, s, t in ((0, 1, 2), (1, 0, 1), (2, 0, 0)):
        assert torch.isclose(found[i, 0, s, t], (a.rows[i, s] - b.rows[0, t]).square().sum(), atol=1e-6)
    assert float(squared_distances(a.rows, a.rows).min()) >= 0


def test_some_sequences_are_picked_and_know_their_padding() -> None:
    slices = of_classes([[0, 1], [2], [3, 4]])
    some = slices.at(torch.tensor([1, 2])).to("cpu")
    assert some.real.tolist() == [[True, False], [True, True]]
    assert some.sample.tolist() == [1, 2]
    both = slices._replace(cross=slices.rows)
    assert both.at(torch.tensor([0])).to("cpu").cross is not None

"""The distance to the nearest training segments."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.errors import DataError, SettingError
from gad_lightning.rejection.neighbors import NeighborScore
from tests.rejection import reference
from tests.rejection.making import WIDTH, T, X, check_admits, check_equal, fitted


@pytest.mark.parametrize(("given", "used"), [(3, 3), (None, 6)])
def test_it_equals_the_reference(given: int | None, used: int) -> None:
    check_equal(NeighborScore(given), reference.neighbors(X, T, used))


def test_segments_that_are_admitted_are_known() -> None:
    check_admits(NeighborScore(neighbors=1))


def test_more_neighbors_than_segments_are_refused() -> None:
    with pytest.raises(DataError, match="wants at least 61 training segments, and there are 60"):
        fitted(NeighborScore(neighbors=61))


def test_no_neighbor_is_refused() -> None:
    with pytest.raises(SettingError, match="neighbors of NeighborScore must be at least 1, got 0"):
        NeighborScore(neighbors=0)


def test_no_more_neighbors_are_asked_than_half_of_what_the_median_class_has() -> None:
    rows = torch.cat([10 * torch.eye(3, WIDTH)[[0]].repeat(90, 1), torch.eye(3, WIDTH)[[1] * 8 + [2] * 8]])
    score = NeighborScore()
    score.fit(rows, rows, torch.tensor([0] * 90 + [1] * 8 + [2] * 8))
    assert int(score.count) == 4
    assert float(score(rows[-1:], rows[-1:])) == 0, "its neighbors are of its own class"

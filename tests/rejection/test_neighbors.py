"""The distance to the nearest training segments."""

from __future__ import annotations

import pytest

from gad_lightning.errors import DataError, SettingError
from gad_lightning.rejection.neighbors import NeighborScore
from tests.rejection import reference
from tests.rejection.making import T, X, check_admits, check_equal, fitted


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

"""Sequences that match to the slice."""

from __future__ import annotations

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.kernels.label_match import LabelMatch
from tests.kernels.making import of_classes

SEQUENCES = [[0, 1, 2], [0, 2, 1], [1, 2], [0, 1, 2], [5, 2]]


def test_all_slices_in_their_order_must_match() -> None:
    slices = of_classes(SEQUENCES)
    expected = [[float(one == other) for other in SEQUENCES] for one in SEQUENCES]
    assert LabelMatch()(slices, slices).tolist() == expected


@pytest.mark.parametrize("last", [1, 2, 7])
def test_only_the_last_ones_can_be_asked_for(last: int) -> None:
    slices = of_classes(SEQUENCES, longest=5)
    expected = [[float(one[-last:] == other[-last:]) for other in SEQUENCES] for one in SEQUENCES]
    assert LabelMatch(last)(slices, slices).tolist() == expected


def test_no_slice_cannot_be_compared() -> None:
    with pytest.raises(SettingError, match="last of LabelMatch must be at least 1, got 0"):
        LabelMatch(0)

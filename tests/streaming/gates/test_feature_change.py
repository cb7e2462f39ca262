"""Opens where a frame's features have changed."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.errors import SettingError
from gad_lightning.streaming.gates.base import Glimpse
from gad_lightning.streaming.gates.feature_change import FeatureChange


def test_it_opens_where_the_angle_is_large() -> None:
    before = torch.tensor([[1.0, 0.0]]).expand(3, -1)
    now = torch.tensor([[2.0, 0.0], [1.0, 1.0], [-1.0, 0.0]])  # changes of 0, 0.29 and 2
    seen = Glimpse(now, now, before, torch.zeros(3, dtype=torch.int64), torch.ones(3, dtype=torch.int64))
    assert FeatureChange(0.2)(seen).tolist() == [False, True, True]
    assert FeatureChange(0.5)(seen).tolist() == [False, False, True]


@pytest.mark.parametrize("least", [-0.1, 2.1])
def test_a_change_out_of_its_range_is_refused(least: float) -> None:
    with pytest.raises(SettingError, match="least_change lies in"):
        FeatureChange(least)

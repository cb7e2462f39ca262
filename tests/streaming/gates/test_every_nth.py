"""Opens at every n-th frame."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.errors import SettingError
from gad_lightning.streaming.gates.base import Glimpse
from gad_lightning.streaming.gates.every_nth import EveryNth


def test_it_opens_where_n_frames_have_passed() -> None:
    none = torch.zeros(4, 2)
    seen = Glimpse(none, none, none, torch.zeros(4, dtype=torch.int64), torch.tensor([1, 2, 3, 4]))
    assert EveryNth(3)(seen).tolist() == [False, False, True, True]


def test_no_more_frames_wait_than_n() -> None:
    assert [EveryNth(4, longest_wait).frames(2.0) for longest_wait in (60.0, 1.5)] == [4, 3]


@pytest.mark.parametrize("number", [0, -2, 1.5])
def test_a_number_that_counts_nothing_is_refused(number: int) -> None:
    with pytest.raises(SettingError, match="frames_between is a whole number of 1 or more"):
        EveryNth(number)

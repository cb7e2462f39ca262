"""Tensors, arrays and lists are taken; what is no number is refused by its type."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gad_lightning.errors import SettingError
from gad_lightning.streaming.pushed import tensor_of


@pytest.mark.parametrize("given", [torch.ones(2), np.ones(2), [1, 1.0], (1, 1)])
def test_numbers_of_any_kind_become_float32(given: object) -> None:
    assert tensor_of(given).tolist() == [1.0, 1.0]
    assert tensor_of(given).dtype == torch.float32


def test_pictures_stay_bytes() -> None:
    assert tensor_of(np.zeros((1, 2, 2, 3), np.uint8)).dtype == torch.uint8


@pytest.mark.parametrize(("given", "kind"), [("frame", "str"), (["a"], "list"), (None, "None")])
def test_what_is_no_number_is_refused_by_its_type(given: object, kind: str) -> None:
    with pytest.raises(SettingError, match=f"got a {kind}"):
        tensor_of(given)

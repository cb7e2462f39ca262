"""Arrays, lists and tensors become features; what is none is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gad_lightning.errors import DataError, SettingError
from gad_lightning.schema import FeatureSpec
from gad_lightning.streaming.pushed import Frames, pushed_features

SPEC = FeatureSpec(width=3, tokens_per_frame=2)
ROWS = [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]


@pytest.mark.parametrize("given", [ROWS, np.array(ROWS), torch.tensor(ROWS), torch.tensor(ROWS).double()])
def test_tensors_arrays_and_lists_are_the_same(given: Frames) -> None:
    found = pushed_features(given, torch.tensor([0]), SPEC, None, torch.float32)
    assert found.dtype == torch.float32
    assert found.tolist() == ROWS


def test_what_is_no_feature_is_refused() -> None:
    streams = torch.tensor([4, 7])
    broken = torch.ones(2, 2, 3)
    broken[1, 0, 0] = torch.nan
    with pytest.raises(DataError, match="features of stream 7 hold NaN or infinite values"):
        pushed_features(broken, streams, SPEC, None, torch.float32)
    with pytest.raises(SettingError, match=r"push wants frames of shape \(2, 2, 3\), got \(1, 2, 3\)"):
        pushed_features(ROWS, streams, SPEC, None, torch.float32)
    with pytest.raises(SettingError, match="a list, got a str"):
        pushed_features("frame", streams, SPEC, None, torch.float32)

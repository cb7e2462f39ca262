"""Coverage and size of sets are means over videos, however long these are."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.errors import DataError
from gad_lightning.metrics import SetCoverage
from gad_lightning.types import IGNORED

HOLDS, LACKS = [True, False, False], [False, True, True]


def test_a_long_video_weighs_no_more_than_a_short_one() -> None:
    metric = SetCoverage(3)
    frames = torch.arange(100)
    metric.update(torch.tensor([HOLDS] * 100), frames * 0, frames * 0, frames)
    metric.update(torch.tensor([LACKS, HOLDS]), frames[:2] * 0, frames[:2] * 0 + 5, frames[:2])
    found, details = metric.compute(), metric.details()
    assert {name: float(value) for name, value in found.items()} == {"coverage": 0.75, "set_size": 1.25}
    assert details["video"].tolist() == [0, 5]
    assert details["coverage"].tolist() == [1.0, 0.5]


def test_frames_and_videos_of_unknown_truth_count_for_nothing() -> None:
    metric, frames = SetCoverage(3, ignore_index=2), torch.arange(3)
    metric.update(torch.tensor([HOLDS, LACKS, LACKS]), torch.tensor([0, IGNORED, 2]), frames * 0, frames)
    metric.update(torch.tensor([LACKS]), torch.tensor([IGNORED]), torch.tensor([1]), torch.tensor([0]))
    assert float(metric.compute()["coverage"]) == 1
    assert metric.details()["set_size"].isnan().tolist() == [False, True]


def test_repeated_frames_count_once() -> None:
    metric, frames = SetCoverage(3), torch.tensor([1, 0, 1])
    metric.update(torch.tensor([HOLDS, LACKS, HOLDS]), frames * 0, frames * 0, frames)
    assert float(metric.compute()["coverage"]) == 0.5


def test_what_is_no_set_is_refused() -> None:
    frames = torch.arange(1)
    with pytest.raises(DataError, match=r"sets are \(1, 3\) int64, and there are 1 targets of 3 classes"):
        SetCoverage(3).update(torch.tensor([[1, 0, 0]]), frames, frames, frames)
    with pytest.raises(DataError, match=r"sets are \(1, 2\) bool"):
        SetCoverage(3).update(torch.tensor([[True, False]]), frames, frames, frames)

"""Calibration error on cases that can be checked in the head, and against torchmetrics."""

from __future__ import annotations

import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from gad_lightning.errors import DataError, SettingError
from gad_lightning.metrics import CalibrationError
from gad_lightning.metrics.functional import calibration_error


def test_a_confidence_that_keeps_its_word_has_no_error() -> None:
    scores, target = torch.tensor([[0.75, 0.25]]).repeat(4, 1), torch.tensor([0, 0, 0, 1])
    assert float(calibration_error(scores, target)) == 0
    assert float(calibration_error(scores, 1 - target)) == pytest.approx(0.5)


@pytest.mark.parametrize("num_bins", [1, 7, 15])
def test_equals_torchmetrics_and_takes_logarithms(num_bins: int) -> None:
    draw = torch.Generator().manual_seed(num_bins)
    logits, target = torch.randn(500, 6, generator=draw) * 2, torch.randint(6, (500,), generator=draw)
    expected = multiclass_calibration_error(logits.softmax(-1), target, 6, n_bins=num_bins)
    for scores in (logits.softmax(-1), logits.log_softmax(-1)):
        assert float(calibration_error(scores, target, num_bins=num_bins)) == pytest.approx(float(expected), abs=1e-6)


def test_reliability_by_bin() -> None:
    metric, frames = CalibrationError(2, num_bins=2, ignore_index=-1), torch.arange(4)
    scores = torch.tensor([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8], [0.1, 0.9]])
    metric.update(scores, torch.tensor([0, 0, 0, -1]), frames * 0, frames)
    details = metric.details()
    assert details["frames"].tolist() == [1, 2]
    assert details["accuracy"].tolist() == [1, 0.5]
    assert details["confidence"].tolist() == pytest.approx([0.5, 0.85])
    assert float(details["error"]) == pytest.approx((0.5 + 0.7) / 3)
    assert torch.equal(details["error"], metric.compute())


def test_logits_and_bins_out_of_range_are_refused() -> None:
    with pytest.raises(DataError, match=r"Row 0 of scores adds up to .* and not to 1.*\n.*log_softmax"):
        calibration_error(torch.tensor([[2.0, 3.0]]), torch.tensor([0]))
    with pytest.raises(SettingError, match="num_bins is 0"):
        CalibrationError(2, num_bins=0)

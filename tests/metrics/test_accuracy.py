"""Top-1 and Top-k on cases that can be checked in the head."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.errors import DataError, SettingError
from gad_lightning.metrics import Top1, TopK
from gad_lightning.metrics.functional import top1, top_k

TARGET = torch.tensor([0, 0, 0, 1, 1, 2])
PREDS = torch.tensor([0, 0, 1, 1, 0, 2])
FRAMES = torch.arange(6)


def test_accuracy_and_its_mean_over_classes() -> None:
    metric = Top1(4)
    metric.update(PREDS, TARGET, FRAMES * 0, FRAMES)
    details = metric.details()
    assert float(details["accuracy"]) == pytest.approx(4 / 6)
    assert details["per_class"]["recall"].tolist() == pytest.approx([2 / 3, 1 / 2, 1, 0])
    assert float(details["mean_recall"]) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)  # class 3 never occurs
    assert float(details["foreground_recall"]) == pytest.approx(2 / 3)
    assert float(details["background_precision"]) == pytest.approx(2 / 3)
    assert torch.equal(top1(PREDS, TARGET, num_classes=4, average="macro"), details["mean_recall"])
    assert torch.equal(Top1(4, average="macro")(PREDS, TARGET, FRAMES * 0, FRAMES), details["mean_recall"])


def test_ignored_truth_is_left_out_and_an_ignored_prediction_is_wrong() -> None:
    assert float(top1(PREDS, TARGET, num_classes=3, ignore_index=1)) == pytest.approx(3 / 4)


def test_ranks_follow_score_and_then_class_number() -> None:
    scores = torch.tensor([[0.1, 0.4, 0.4, 0.1], [0.25, 0.25, 0.25, 0.25]]).repeat(2, 1)
    target = torch.tensor([2, 3, 1, 0])
    assert [float(top_k(scores, target, k=k)) for k in (1, 2, 3, 4)] == [0.5, 0.75, 0.75, 1.0]
    assert torch.equal(top_k(scores, target, k=1), top1(scores.argmax(-1), target, num_classes=4))


def test_top_k_per_class() -> None:
    metric, scores = TopK(3, k=2, ignore_index=-1), torch.tensor([[0.5, 0.3, 0.2]]).repeat(4, 1)
    metric.update(scores, torch.tensor([0, 1, 2, -1]), FRAMES[:4] * 0, FRAMES[:4])
    details = metric.details()
    assert details["per_class"].tolist() == [1, 1, 0]
    assert details["frames"].tolist() == [1, 1, 1]
    assert torch.equal(details["mean_class_accuracy"], metric.compute())


def test_scores_and_targets_of_different_length_are_refused() -> None:
    with pytest.raises(DataError, match="2 rows of scores and 1 targets"):
        top_k(torch.rand(2, 3), torch.tensor([1]))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(SettingError, match="k is 0"):
        TopK(3, k=0)
    with pytest.raises(SettingError, match="average is 'macro_all'"):
        Top1(3, average="macro_all")  # type: ignore[arg-type]  # wrong on purpose

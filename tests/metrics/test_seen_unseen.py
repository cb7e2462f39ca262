"""Classes with and without training: against scikit-learn, segments by hand."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import recall_score

from gad_lightning.errors import SettingError
from gad_lightning.metrics.seen_unseen import SeenUnseen


@pytest.mark.parametrize("seed", range(3))
def test_the_accuracies_are_mean_recalls_of_both_kinds_of_classes(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    target, preds = (torch.randint(6, (300,), generator=draw) for _ in range(2))
    preds = torch.where(torch.rand(300, generator=draw) < 0.5, target, preds)
    metric, frame = SeenUnseen(num_classes=6, unseen=[4, 5]), torch.arange(300)
    metric.update(preds, target, frame // 150, frame % 150)
    found = metric.compute()
    seen, unseen = (
        recall_score(target, preds, labels=classes, average="macro", zero_division=0) for classes in ([1, 2, 3], [4, 5])
    )
    assert float(found["frame_seen"]) == pytest.approx(seen)
    assert float(found["frame_unseen"]) == pytest.approx(unseen)
    assert float(found["frame_harmonic"]) == pytest.approx(2 * seen * unseen / (seen + unseen))


def test_a_segment_counts_once_by_what_most_of_its_frames_are_called() -> None:
    metric, frame = SeenUnseen(num_classes=4, unseen=[3]), torch.arange(9)
    target = torch.tensor([1, 1, 1, 3, 3, 3, 0, 3, 2])
    preds = torch.tensor([1, 1, 2, 1, 3, 3, 3, 1, 2])
    metric.update(preds, target, frame * 0, frame)
    found = metric.compute()
    assert float(found["segment_seen"]) == 1.0
    assert float(found["segment_unseen"]) == 0.5


def test_nothing_of_a_kind_is_nan_and_nothing_right_is_0() -> None:
    one = torch.ones(2, dtype=torch.int64)
    metric = SeenUnseen(num_classes=4, unseen=[3])
    metric.update(one, one, one, torch.arange(2))
    assert bool(metric.compute()["frame_harmonic"].isnan())
    metric.reset()
    metric.update(one + 1, torch.tensor([1, 3]), one, torch.arange(2))
    assert float(metric.compute()["frame_harmonic"]) == 0.0


@pytest.mark.parametrize("unseen", [[], [4], [-1]])
def test_classes_that_are_none_are_refused(unseen: list[int]) -> None:
    with pytest.raises(SettingError, match="the classes are 0 to 3"):
        SeenUnseen(num_classes=4, unseen=unseen)

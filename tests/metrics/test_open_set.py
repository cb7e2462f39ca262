"""Unknown actions against known ones: scikit-learn, hand cases, segments."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from gad_lightning.errors import DataError
from gad_lightning.metrics.functional.open_set import open_set_scores
from gad_lightning.metrics.open_set import OpenSet


@pytest.mark.parametrize("levels", [3, 20, 10**6], ids=["many ties", "ties", "hardly any tie"])
def test_areas_equal_scikit_learn(levels: int) -> None:
    draw = torch.Generator().manual_seed(levels)
    scores, unknown = torch.randint(levels, (300,), generator=draw) / levels, torch.rand(300, generator=draw) < 0.3
    found = open_set_scores(scores, unknown, torch.ones(300, dtype=torch.bool))
    assert float(found["auroc"]) == pytest.approx(roc_auc_score(unknown, scores), abs=1e-12)
    assert float(found["aupr"]) == pytest.approx(average_precision_score(unknown, scores), abs=1e-12)
    assert float(found["oscr"]) == pytest.approx(float(found["auroc"]), abs=1e-12), "if every known one is right"


def test_the_oscr_is_the_area_under_its_curve() -> None:
    draw = torch.Generator().manual_seed(0)
    scores, unknown = torch.rand(200, generator=draw), torch.rand(200, generator=draw) < 0.4
    right = torch.rand(200, generator=draw) < 0.7
    known, new = scores[~unknown], scores[unknown].sort().values
    # each unknown item that stays known is a step to the right of the curve
    heights = [float(((known < step) & right[~unknown]).double().mean()) for step in new]
    assert float(open_set_scores(scores, unknown, right)["oscr"]) == pytest.approx(sum(heights) / len(heights))


def test_95_of_a_hundred_known_ones_stay_known() -> None:
    scores = torch.cat([torch.arange(100.0), torch.tensor([93.5, 94.0, 94.5, 200.0])])
    unknown = torch.arange(104) >= 100
    assert float(open_set_scores(scores, unknown, unknown)["fpr95"]) == 0.5


def test_without_one_of_both_kinds_there_is_no_score() -> None:
    found = open_set_scores(torch.rand(4), torch.zeros(4, dtype=torch.bool), torch.ones(4, dtype=torch.bool))
    assert all(bool(value.isnan()) for value in found.values())


def filled(order: torch.Tensor, threshold: float | None = None) -> OpenSet:
    """Two videos: background, known, unknown; the rows in some order."""
    target = torch.tensor([0, 1, 1, 1, 3, 3, 2, 2, 3, 3])
    preds = torch.tensor([1, 1, 1, 2, 0, 1, 1, 1, 2, 2])
    rejection = torch.tensor([9.0, 0.1, 0.1, 0.9, 0.5, 0.9, 0.6, 0.6, 0.2, 0.6])
    video, frame = torch.tensor([0] * 6 + [1] * 4), torch.tensor([*range(6), *range(4)])
    metric = OpenSet(num_classes=3, threshold=threshold)
    for part in order.split(3):
        metric.update(rejection[part], preds[part], target[part], video[part], frame[part])
    return metric


def test_frames_and_segments_are_scored_without_the_background() -> None:
    found = filled(torch.arange(10)).compute()
    # known frames 0.1 0.1 0.9 0.6 0.6, unknown frames 0.5 0.9 0.2 0.6
    assert float(found["frame_auroc"]) == pytest.approx((4 + 4 + 0.5 + 2 * (1 + 0.5)) / 20)
    # known segments 0.3667 (rightly 1) and 0.6 (wrongly 1), unknown segments 0.7 and 0.4
    assert float(found["segment_auroc"]) == pytest.approx(3 / 4)
    assert float(found["segment_oscr"]) == pytest.approx(2 / 4)


def test_a_segment_is_scored_by_its_frames_that_can_be_unknown() -> None:
    metric, frame = OpenSet(num_classes=3), torch.arange(6)
    target = torch.tensor([1, 1, 3, 3, 2, 2])
    rejection = torch.tensor([0.1, 0.2, -torch.inf, 0.9, -torch.inf, -torch.inf])
    metric.update(rejection, target % 3, target, frame * 0, frame)
    found = metric.compute()
    assert float(found["segment_auroc"]) == 1.0
    assert float(found["frame_auroc"]) == pytest.approx((2 * 0.5 + 4) / 8), "each frame stands for itself"


def test_a_threshold_adds_the_scores_of_the_three_kinds_and_leaves_the_others() -> None:
    found, plain = filled(torch.arange(10), threshold=0.55).compute(), filled(torch.arange(10)).compute()
    assert {name: float(found[name]) for name in plain} == {name: float(value) for name, value in plain.items()}
    # told: unknown (9.0), known, known, unknown (0.9), background, unknown (0.9); unknown, unknown, known, unknown
    assert float(found["frame_known_f1"]) == pytest.approx(2 * 2 / (5 + 3))
    assert float(found["frame_background_f1"]) == 0.0
    assert float(found["frame_unknown_f1"]) == pytest.approx(2 * 2 / (4 + 6))
    assert float(found["frame_three_way"]) == pytest.approx((0.5 + 0.0 + 0.4) / 3)


def test_order_and_repeats_change_nothing() -> None:
    expected = filled(torch.arange(10)).compute()
    found = filled(torch.tensor([9, 3, 1, 0, 2, 4, 8, 7, 6, 5, 5, 0])).compute()
    assert {name: float(value) for name, value in found.items()} == {n: float(v) for n, v in expected.items()}


def test_a_label_beyond_the_unknown_one_is_refused() -> None:
    one = torch.zeros(1, dtype=torch.int64)
    with pytest.raises(DataError, match="target holds the label 4, but the classes are 0 to 3"):
        OpenSet(num_classes=3).update(torch.zeros(1), one, one + 4, one, one)

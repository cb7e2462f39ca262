"""Segment F1 on cases that can be checked in the head."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.errors import DataError, SettingError
from gad_lightning.metrics import SegmentF1
from gad_lightning.metrics.functional import segment_f1
from gad_lightning.metrics.functional.f1 import F1Details


def details(preds: list[int], target: list[int], **settings: object) -> F1Details:
    """What the metric says of one video."""
    metric = SegmentF1(**{"num_classes": 4, "overlap": 0.5} | settings)  # type: ignore[arg-type]  # many kinds
    frames = torch.arange(len(preds))
    metric.update(torch.tensor(preds), torch.tensor(target), frames * 0, frames)
    return metric.details()


@pytest.mark.parametrize(
    ("preds", "target", "expected"),
    [
        pytest.param([1, 1, 0, 2], [1, 1, 0, 2], 1.0, id="perfect"),
        pytest.param([3, 3, 0, 2], [1, 1, 0, 2], 0.5, id="one of two segments has the wrong class"),
        pytest.param([1, 0, 1, 0], [1, 1, 1, 0], 0.0, id="two fragments, each under half of the segment"),
        pytest.param([1, 1, 0, 0], [1, 1, 1, 1], 1.0, id="exactly half counts"),
        pytest.param([1, 1, 0, 1], [1, 1, 1, 1], 2 / 3, id="a second fragment is a false alarm"),
        pytest.param([0, 0, 0, 0], [0, 0, 0, 0], 0.0, id="nothing to find"),
        pytest.param([1, 1, 1, 1], [0, 0, 0, 0], 0.0, id="nothing to find but something said"),
        pytest.param([1, 1, 1, 1], [2, 2, 2, 2], 0.0, id="the wrong class over the whole segment"),
    ],
)
def test_hand_checked_cases(preds: list[int], target: list[int], expected: float) -> None:
    found = details(preds, target)
    assert float(found["f1"]) == pytest.approx(expected)
    alone = segment_f1(torch.tensor(preds), torch.tensor(target), num_classes=4, overlap=0.5)
    assert torch.equal(alone, found["f1"])


def test_a_worse_earlier_prediction_takes_the_hit() -> None:
    found = details([1, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], overlap=0.1)
    assert [int(found[count]) for count in ("tp", "fp", "fn")] == [1, 1, 0]


def test_there_is_no_second_choice() -> None:
    target = [1, 1, 1, 1, 1, 1, 0, 1]
    preds = [1, 0, 1, 1, 1, 1, 1, 1]  # both overlap the first segment most, the second one the other as well
    found = details(preds, target, overlap=0.1)
    assert [int(found[count]) for count in ("tp", "fp", "fn")] == [1, 1, 1]


def test_of_two_equal_segments_the_first_is_taken() -> None:
    found = details([1, 1, 1, 1, 1, 0, 1], [1, 1, 0, 1, 1, 0, 0], overlap=0.4)
    assert [int(found[count]) for count in ("tp", "fp", "fn")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("preds", "target", "cut", "published"),
    [
        pytest.param([1, 1, 1, 1, 1], [1, 1, 3, 1, 1], [2, 0, 0], [1, 0, 1], id="predicted across"),
        pytest.param([1, 1, 2, 1, 1], [1, 1, 3, 1, 1], [2, 0, 0], [2, 1, 0], id="something else within"),
        pytest.param([2, 2, 0, 1, 1], [3, 3, 0, 1, 1], [1, 0, 0], [1, 1, 0], id="at the beginning"),
        pytest.param([0, 2, 2, 1, 0], [0, 2, 3, 3, 0], [1, 0, 0], [1, 1, 0], id="at an end"),
        pytest.param([1, 1, 1, 1, 0], [3, 3, 3, 0, 0], [0, 1, 0], [0, 1, 0], id="beyond it is wrong all the same"),
        pytest.param([3, 1, 1, 0, 0], [0, 1, 1, 0, 0], [1, 0, 0], [1, 0, 0], id="predicted itself it is background"),
    ],
)
def test_ignored_frames_are_cut_out_of_truth_and_prediction(
    preds: list[int], target: list[int], cut: list[int], published: list[int]
) -> None:
    for how, expected in (("cut", cut), ("published", published)):
        found = details(preds, target, ignore_index=3, overlap=0.4, ignored_frames=how)
        assert [int(found[count]) for count in ("tp", "fp", "fn")] == expected
        outside = details(
            [0 if label == 3 else label for label in preds],
            [255 if label == 3 else label for label in target],
            ignore_index=255,
            overlap=0.4,
            ignored_frames=how,
        )
        assert torch.equal(found["f1"], outside["f1"])


def test_an_ignored_class_that_is_the_background_leaves_no_frame_out() -> None:
    found = details([1, 1, 2, 0, 0], [1, 1, 0, 0, 0], background=0, ignore_index=0)
    assert [int(found[count]) for count in ("tp", "fp", "fn")] == [1, 1, 0]


def test_another_treatment_of_ignored_frames_is_refused() -> None:
    with pytest.raises(SettingError, match=r"ignored_frames is 'drop'.*\n.*'cut' or 'published'"):
        details([0], [0], ignored_frames="drop")


def test_without_background_every_run_is_a_segment() -> None:
    assert [int(details([0, 0, 1, 1], [0, 0, 1, 1], background=background)["tp"]) for background in (0, None)] == [1, 2]


def test_averages() -> None:
    preds, target = [1, 0, 1, 0, 2, 0], [1, 0, 1, 0, 1, 0]  # class 1: 2 of 3 found; class 2: one false alarm
    assert float(details(preds, target)["f1"]) == pytest.approx(2 / 3)
    assert float(details(preds, target, average="macro")["f1"]) == pytest.approx((0.8 + 0) / 2)
    assert float(details(preds, target, average="macro_all")["f1"]) == pytest.approx((0.8 + 0 + 0) / 3)
    assert float(details(preds, target, average="macro_all", background=None)["f1"]) == pytest.approx(1.8 / 4, abs=0.3)
    assert float(details(preds, target, average="macro_all", ignore_index=3)["f1"]) == pytest.approx((0.8 + 0) / 2)


def test_bands_of_training_frequency() -> None:
    found = details([1, 0, 2, 0, 3, 0], [1, 0, 2, 0, 2, 0], class_counts=[9999, 101, 100, 0])
    assert set(found["bands"]) == {"many", "medium", "unseen"}
    assert [float(found["bands"][band]["recall"]) for band in ("many", "medium", "unseen")] == [1.0, 0.5, 0.0]
    assert found["per_class"]["tp"].tolist() == [0, 1, 1, 0]


def test_videos_without_numbers_of_frames_are_refused() -> None:
    labels = torch.tensor([1, 1])
    with pytest.raises(DataError, match="video is given without frame"):
        segment_f1(labels, labels, video=labels, num_classes=2)

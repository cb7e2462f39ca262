"""Point F1 on cases that can be checked in the head."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.errors import SettingError
from gad_lightning.metrics import PointF1
from gad_lightning.metrics.functional import point_f1


def counts(preds: list[int], target: list[int], seconds: float = 1.0, **settings: object) -> list[int]:
    """Hits, false alarms and misses in one video at 2 frames a second."""
    metric = PointF1(4, seconds, **{"fps": 2.0} | settings)  # type: ignore[arg-type]  # many kinds
    frames = torch.arange(len(preds))
    metric.update(torch.tensor(preds), torch.tensor(target), frames * 0, frames)
    details = metric.details()
    assert torch.equal(details["f1"], metric.compute())
    return [int(details[count]) for count in ("tp", "fp", "fn")]


@pytest.mark.parametrize(
    ("preds", "target", "seconds", "expected"),
    [
        pytest.param([0, 1, 1, 0], [0, 1, 0, 0], 0.0, [1, 0, 0], id="to the frame"),
        pytest.param([0, 0, 0, 1], [0, 1, 1, 1], 1.0, [1, 0, 0], id="the tolerance is inclusive"),
        pytest.param([0, 0, 0, 1], [0, 1, 1, 1], 0.9, [0, 1, 1], id="a frame too late"),
        pytest.param([0, 0, 0, 1], [0, 0, 1, 1], 0.5, [1, 0, 0], id="half a second is one frame"),
        pytest.param([0, 0, 0, 1], [0, 0, 1, 1], 0.49, [0, 1, 1], id="less is none"),
        pytest.param([0, 1, 0, 1], [0, 1, 1, 1], 1.0, [1, 1, 0], id="the second of two is a false alarm"),
        pytest.param([0, 0, 1, 1], [1, 1, 0, 2], 1.0, [0, 1, 2], id="the nearest start has another class"),
        pytest.param([0, 1, 1, 1], [2, 2, 1, 1], 1.0, [0, 1, 2], id="of two equally near the earlier one"),
        pytest.param([0, 2, 2, 2], [2, 2, 1, 1], 1.0, [1, 0, 1], id="which may be right"),
        pytest.param([0, 0, 0, 0], [0, 0, 0, 0], 1.0, [0, 0, 0], id="nothing"),
        pytest.param([1, 1, 0, 1], [0, 0, 0, 0], 1.0, [0, 2, 0], id="nothing to find"),
    ],
)
def test_hand_checked_cases(preds: list[int], target: list[int], seconds: float, expected: list[int]) -> None:
    assert counts(preds, target, seconds) == expected
    f1 = 2 * expected[0] / max(2 * expected[0] + expected[1] + expected[2], 1)
    alone = point_f1(torch.tensor(preds), torch.tensor(target), num_classes=4, fps=2, tolerance_seconds=seconds)
    assert float(alone) == pytest.approx(f1)


def test_tolerance_forgives_the_rounding_of_seconds_times_fps() -> None:
    target = [1] + [0] * 40
    preds = [0] * 29 + [1] * 12
    assert 0.29 * 100 < 29
    assert counts(preds, target, 0.29, fps=100.0) == [1, 0, 0]


def test_middles_at_the_end_of_a_video() -> None:
    target = [0, 1, 1, 1, 1, 0]  # middle 3
    preds = [0, 0, 0, 1, 1, 1]  # middle 4.5, published 4 as the segment reaches the end
    assert counts(preds, target, 0.5, reference="middle") == [1, 0, 0]
    assert counts(preds, target, 0.5, reference="true_middle") == [0, 1, 1]
    assert counts(preds, target, 0.75, reference="true_middle") == [1, 0, 0]


def test_starts_of_other_videos_are_never_near() -> None:
    metric = PointF1(3, 100.0, fps=1)
    preds, target = torch.tensor([0, 0, 1, 1, 0, 0]), torch.tensor([0, 0, 0, 0, 1, 1])
    video, frame = torch.tensor([5, 5, -3, -3, 9, 9]), torch.tensor([0, 1, 0, 1, 0, 1])
    metric.update(preds, target, video, frame)
    details = metric.details()
    assert [int(details[count]) for count in ("tp", "fp", "fn")] == [0, 1, 1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"fps": 0}, "fps is 0", id="fps"),
        pytest.param({"fps": 4, "tolerance_seconds": -1}, "tolerance_seconds is -1", id="tolerance"),
        pytest.param({"fps": 4, "reference": "end"}, "reference is 'end'.\n.*'true_middle'", id="reference"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        PointF1(3, **settings)  # type: ignore[arg-type]  # wrong on purpose


def test_starts_within_ignored_frames_do_not_count() -> None:
    preds, target = [2, 1, 0, 1, 1, 0], [3, 3, 0, 1, 1, 0]
    assert counts(preds, target, 0.0, ignore_index=3) == [1, 0, 0]
    assert counts(preds, target, 0.0, ignore_index=3, ignored_frames="published") == [1, 2, 0]
    assert counts([1] * 6, [3, 3, 1, 1, 3, 1], 0.0, ignore_index=3) == [2, 0, 0]

"""Frame mAP: hand cases, scikit-learn, and the options of THUMOS."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch
from sklearn.metrics import average_precision_score

from gad_lightning.errors import DataError, SettingError
from gad_lightning.metrics import FrameMAP
from gad_lightning.metrics.functional import MapRule, average_precision, frame_map
from gad_lightning.metrics.functional.frame_map import _smoothed


@pytest.mark.parametrize("levels", [3, 20, 10**6], ids=["many ties", "ties", "hardly any tie"])
def test_average_precision_equals_scikit_learn(levels: int) -> None:
    draw = torch.Generator().manual_seed(levels)
    scores = torch.randint(levels, (200, 12), generator=draw) / levels
    hits = torch.rand(200, 12, generator=draw) < torch.linspace(0.01, 0.99, 12)
    expected = [average_precision_score(hits[:, column], scores[:, column]) for column in range(12)]
    assert average_precision(scores, hits).tolist() == pytest.approx(expected, abs=1e-12)


def test_calibration_undoes_a_rare_class() -> None:
    scores, hits = torch.tensor([[0.9], [0.8], [0.7], [0.6], [0.5]]), torch.tensor([[0], [1], [0], [0], [0]]).bool()
    assert float(average_precision(scores, hits)) == pytest.approx(1 / 2)
    assert float(average_precision(scores, hits, calibrated=True)) == pytest.approx(1 / (1 + 1 / 4))
    everything = torch.ones(5, 1, dtype=torch.bool)
    assert float(average_precision(scores, everything, calibrated=True)) == 1
    assert bool(average_precision(scores, ~everything).isnan())


def test_columns_do_not_depend_on_how_many_are_sorted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.Generator().manual_seed(0)
    scores, hits = torch.rand(50, 9, generator=draw), torch.rand(50, 9, generator=draw) < 0.3
    whole = average_precision(scores, hits)
    module = import_module("gad_lightning.metrics.functional.frame_map")  # beside the function of the same name
    monkeypatch.setattr(module, "CELLS_AT_ONCE", 100)
    assert average_precision(scores, hits).tolist() == pytest.approx(whole.tolist(), abs=1e-12)


def test_smoothing_takes_the_largest_score_within_a_video() -> None:
    scores, breaks = torch.tensor([[1.0], [5.0], [2.0], [9.0], [3.0]]), torch.tensor([1, 0, 0, 1, 0]).bool()
    assert _smoothed(scores, breaks, 3).flatten().tolist() == [5, 5, 5, 9, 9]
    assert _smoothed(scores, breaks, 99).flatten().tolist() == [5, 5, 5, 9, 9]
    assert _smoothed(scores, breaks, 1).equal(scores)


def test_one_class_counts_for_another() -> None:
    scores, target = torch.tensor([[0.1, 0.2, 0.9], [0.1, 0.5, 0.0]]), torch.tensor([1, 0])
    assert float(frame_map(scores, target)) == pytest.approx(1 / 2)
    assert float(frame_map(scores, target, rule=MapRule(also_counts_as={2: 1}))) == 1


def test_ignored_frames_are_dropped_or_only_their_class() -> None:
    scores = torch.tensor([[0.0, 0.9, 0.1], [0.0, 0.5, 0.5], [0.0, 0.4, 0.6]])
    target = torch.tensor([2, 1, 0])
    assert float(frame_map(scores, target, ignore_index=2)) == 1
    assert float(frame_map(scores, target, ignore_index=2, rule=MapRule(ignored_frames="keep"))) == 0.5
    assert float(frame_map(scores, target.where(target != 2, -100), ignore_index=2)) == 1


def test_background_frames_stay_even_if_the_background_is_ignored() -> None:
    scores, target = torch.tensor([[0.0, 0.9], [0.0, 0.5]]), torch.tensor([0, 1])
    assert float(frame_map(scores, target, ignore_index=0)) == 0.5


def test_integer_and_multi_hot_targets_agree() -> None:
    draw = torch.Generator().manual_seed(1)
    scores, target, frames = (
        torch.rand(30, 4, generator=draw),
        torch.randint(4, (30,), generator=draw),
        torch.arange(30),
    )
    plain, hot = FrameMAP(4), FrameMAP(4)
    plain.update(scores, target, frames * 0, frames)
    hot.update(scores, torch.eye(4)[target], frames * 0, frames)
    assert torch.equal(plain.compute(), hot.compute())
    each = plain.details()["per_class"]
    assert each.isnan().tolist() == [True, False, False, False]
    assert float(each.nanmean()) == pytest.approx(float(plain.compute()))


def test_what_is_not_multi_hot_is_refused() -> None:
    scores, frames = torch.rand(2, 3), torch.arange(2)
    with pytest.raises(DataError, match="values other than 0 and 1"):
        FrameMAP(3).update(scores, torch.full((2, 3), 0.5), frames * 0, frames)
    with pytest.raises(DataError, match=r"shape \(2, 2\), but there are 3 classes"):
        FrameMAP(3).update(scores, torch.zeros(2, 2), frames * 0, frames)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"smooth_frames": 4}, "smooth_frames is 4.\n.*odd", id="even"),
        pytest.param({"also_counts_as": {5: 8}}, "also_counts_as names the class 5", id="class"),
        pytest.param({"ignored_frames": "cut"}, "ignored_frames is 'cut'", id="ignored frames"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        FrameMAP(3, **settings)  # type: ignore[arg-type]  # wrong on purpose


def test_rows_without_a_known_label_are_not_scored() -> None:
    scores, video, frame = torch.rand(3, 2), torch.zeros(3, dtype=torch.int64), torch.arange(3)
    target = torch.tensor([[0, 1], [-100, -100], [1, 0]])
    several, single = FrameMAP(2), FrameMAP(2)
    several.update(scores, target, video, frame)
    single.update(scores, torch.tensor([1, -100, 0]), video, frame)
    assert several.compute() == single.compute()

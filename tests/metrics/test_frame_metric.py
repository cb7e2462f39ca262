"""Order, repeats, gaps and errors: what all metrics share."""

from __future__ import annotations

import pickle

import matplotlib as mpl
import pytest
import torch
from torch import Tensor
from torchmetrics import MetricCollection

from gad_lightning.errors import DataError, SettingError
from gad_lightning.metrics import (
    AnswerReadiness,
    CalibrationError,
    DetectionDelay,
    ErrorDiversity,
    FalseAlarmsPerHour,
    FrameMAP,
    PointF1,
    SegmentF1,
    Top1,
    TopK,
    VideoRisk,
)
from gad_lightning.metrics.frame_metric import FrameMetric
from gad_lightning.types import IGNORED

LABELS = torch.tensor([0, 1, 1, 1, 0, 2, 2, 0])
FRAMES = torch.arange(8)
ONE_VIDEO = torch.zeros_like(FRAMES)
SCORES = torch.eye(3)[LABELS]
KINDS = {
    "segments": lambda: SegmentF1(3),
    "points": lambda: PointF1(3, fps=4),
    "accuracy": lambda: Top1(3),
    "diversity": lambda: ErrorDiversity(3),
    "delay": lambda: DetectionDelay(3, fps=4),
    "alarms": lambda: FalseAlarmsPerHour(3, fps=4),
    "readiness": lambda: AnswerReadiness(3, fps=4),
    "risk": lambda: VideoRisk(3, fps=4),
    "map": lambda: FrameMAP(3),
    "top2": lambda: TopK(3, k=2),
    "calibration": lambda: CalibrationError(3),
}
OF_SCORES = ("map", "top2", "calibration")


def given(name: str, labels: Tensor = LABELS) -> Tensor:
    """What the metric of this name takes as its first argument."""
    return torch.eye(3)[labels] if name in OF_SCORES else labels


@pytest.mark.parametrize("name", KINDS)
def test_repeated_frames_count_once_in_any_order(name: str) -> None:
    wrong = torch.tensor([0, 1, 2, 1, 0, 2, 0, 0])
    whole, parts = KINDS[name](), KINDS[name]()
    whole.update(given(name, wrong), LABELS, ONE_VIDEO, FRAMES)
    for rows in (torch.tensor([7, 2, 5]), torch.tensor([2, 0, 1, 6, 7]), torch.tensor([3, 4]), torch.tensor([4])):
        parts.update(given(name, wrong)[rows], LABELS[rows], ONE_VIDEO[rows], FRAMES[rows])
    assert torch.equal(whole.compute(), parts.compute())


@pytest.mark.parametrize("name", KINDS)
def test_batches_without_rows_and_no_batch_at_all(name: str) -> None:
    never, empty = KINDS[name](), KINDS[name]()
    empty.update(given(name)[:0], LABELS[:0], ONE_VIDEO[:0], FRAMES[:0])
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        nothing = never.compute()
    assert torch.equal(nothing.nan_to_num(-1), empty.compute().nan_to_num(-1))
    empty.update(given(name), LABELS, ONE_VIDEO, FRAMES)
    assert not empty.compute().isnan()


@pytest.mark.parametrize("name", KINDS)
def test_a_missing_frame_is_an_error_or_a_cut(name: str) -> None:
    metric, rows = KINDS[name](), FRAMES != 2
    metric.update(given(name)[rows], LABELS[rows], ONE_VIDEO[rows] + 7, FRAMES[rows])
    with pytest.raises(DataError, match=r"Video 7 has no frame between 1 and 3 \(1 gaps in all\).*\n.*gaps='cut'"):
        metric.compute()
    metric.gaps = "cut"
    assert not metric.compute().isnan()


def test_segments_end_at_a_gap() -> None:
    metric, rows = SegmentF1(3, gaps="cut"), FRAMES != 2
    metric.update(LABELS[rows], LABELS[rows], ONE_VIDEO[rows], FRAMES[rows])
    assert int(metric.details()["tp"]) == 3


@pytest.mark.parametrize("name", KINDS)
def test_repeats_with_different_targets_are_an_error(name: str) -> None:
    metric = KINDS[name]()
    metric.update(given(name), LABELS, ONE_VIDEO, FRAMES)
    metric.update(given(name)[:1], LABELS[1:2], ONE_VIDEO[:1], FRAMES[:1])
    with pytest.raises(DataError, match="Frame 0 of video 0 was given twice with different targets"):
        metric.compute()


def test_repeats_with_different_predictions_are_an_error_or_the_lowest_class_counts() -> None:
    for order in ([0, 1], [1, 0]):
        strict, lenient = Top1(3), Top1(3, conflicts="lowest")
        for label in order:
            for metric in (strict, lenient):
                metric.update(torch.tensor([label]), torch.tensor([0]), ONE_VIDEO[:1], FRAMES[:1])
        with pytest.raises(DataError, match=r"different predictions.*\n.*conflicts='lowest'"):
            strict.compute()
        assert lenient.compute() == 1


@pytest.mark.parametrize("name", ["map", "calibration"])
def test_scores_of_repeats_may_differ_by_rounding_only(name: str) -> None:
    metric = KINDS[name]()
    scores = SCORES * 0.8 + 0.2 / 3
    metric.update(scores, LABELS, ONE_VIDEO, FRAMES)
    metric.update((scores + 1e-4)[:1], LABELS[:1], ONE_VIDEO[:1], FRAMES[:1])
    assert not metric.compute().isnan()
    metric.update(torch.tensor([[0.5, 0.3, 0.2]]), LABELS[:1], ONE_VIDEO[:1], FRAMES[:1])
    with pytest.raises(DataError, match=r"Frame 0 of video 0 was given twice with .* further apart than 0.01"):
        metric.compute()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"preds": LABELS.float()}, "preds must hold integers, but its type is float32", id="float labels"),
        pytest.param({"target": LABELS > 0}, "target must hold integers, but its type is bool", id="bool labels"),
        pytest.param({"preds": LABELS[:, None]}, r"preds must have one entry a frame, .* \(8, 1\)", id="shape"),
        pytest.param({"target": LABELS[1:]}, "8 predictions and 7 targets", id="length"),
        pytest.param({"video": ONE_VIDEO[1:]}, "8 predictions, 7 video and 8 frame numbers", id="length of keys"),
        pytest.param({"frame": FRAMES / 4}, "frame must hold integers, but its type is float32", id="seconds"),
        pytest.param({"frame": FRAMES - 1}, "frame holds the number -1.\n.*from 0", id="negative frame"),
        pytest.param(
            {"preds": LABELS + 1}, "preds holds the label 3, but the classes are 0 to 2", id="beyond the classes"
        ),
        pytest.param({"preds": LABELS - 101}, "preds holds the label -101", id="below the classes"),
        pytest.param({"target": LABELS - 1}, "target holds the label -1.*\n.*ignore_index", id="negative target"),
    ],
)
def test_what_is_no_frame_is_refused(change: dict[str, Tensor], message: str) -> None:
    rows = {"preds": LABELS, "target": LABELS, "video": ONE_VIDEO, "frame": FRAMES} | change
    with pytest.raises(DataError, match=message):
        SegmentF1(3).update(**rows)


@pytest.mark.parametrize("name", OF_SCORES)
@pytest.mark.parametrize(
    ("scores", "message"),
    [
        pytest.param(LABELS, "scores must be floats, but the type is int64: labels are no scores", id="labels"),
        pytest.param(LABELS.float(), r"shape \(N, 3\), one column a class, but it is \(8,\)", id="one column"),
        pytest.param(SCORES[:, :2], r"one column a class, but it is \(8, 2\)", id="a class too few"),
        pytest.param(SCORES.log(), "Row 0 of scores is not finite: a readout that only names a label", id="one-hot"),
        pytest.param(SCORES[1:], "7 rows of scores|7 predictions, 8 video", id="length"),
    ],
)
def test_a_readout_without_scores_is_refused(name: str, scores: Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        KINDS[name]().update(scores, LABELS, ONE_VIDEO, FRAMES)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"num_classes": 0}, "num_classes is 0", id="no class"),
        pytest.param({"background": 3}, "background is 3, but the classes are 0 to 2", id="background"),
        pytest.param({"overlap": 50}, r"must lie in \(0, 1\], got 50", id="percent"),
        pytest.param({"overlap": 0.0}, "got 0.0", id="no overlap"),
        pytest.param({"average": "weighted"}, "average is 'weighted'.\n.*macro_all", id="average"),
        pytest.param({"gaps": "skip"}, "gaps is 'skip'.\n.*'error' or 'cut'", id="gaps"),
        pytest.param({"conflicts": "last"}, "conflicts is 'last'", id="conflicts"),
        pytest.param({"class_counts": [1, 2]}, "class_counts has 2 entries for 3 classes", id="counts"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        SegmentF1(**{"num_classes": 3} | settings)  # type: ignore[arg-type]  # wrong on purpose


def test_unlabeled_targets_are_ignored_like_the_ignored_class() -> None:
    unlabeled, ignored = LABELS.clone(), LABELS.clone()
    unlabeled[5:7], ignored[5:7] = IGNORED, 2
    for metric in (Top1(3, ignore_index=2), SegmentF1(3, ignore_index=2), DetectionDelay(3, fps=4, ignore_index=2)):
        metric.update(LABELS, unlabeled, ONE_VIDEO, FRAMES)
        metric.update(LABELS, ignored, ONE_VIDEO + 1, FRAMES)
        both = metric.compute()
        metric.reset()
        metric.update(LABELS, ignored, ONE_VIDEO + 1, FRAMES)
        assert torch.equal(metric.compute(), both)


def test_metrics_of_a_collection_share_the_frames_and_still_differ() -> None:
    parts = {"loose": SegmentF1(3), "strict": SegmentF1(3, overlap=0.9), "points": PointF1(3, fps=4), "frames": Top1(3)}
    together, wrong = MetricCollection(dict(parts)), torch.tensor([1, 1, 1, 0, 0, 2, 2, 0])
    for rows in (FRAMES[:4], FRAMES[4:]):
        together.update(wrong[rows], LABELS[rows], ONE_VIDEO[rows], FRAMES[rows])
    assert len(together.compute_groups) == 1
    found = together.compute()
    for name, alone in parts.items():
        alone.reset()
        alone.update(wrong, LABELS, ONE_VIDEO, FRAMES)
        assert torch.equal(found[name], alone.compute())
        assert torch.equal(together[name].compute(), alone.compute())


@pytest.mark.parametrize("name", KINDS)
def test_metrics_can_be_copied_pickled_and_reset(name: str) -> None:
    metric = KINDS[name]()
    metric.update(given(name)[:4], LABELS[:4], ONE_VIDEO[:4], FRAMES[:4])
    copies: list[FrameMetric] = [metric, metric.clone(), pickle.loads(pickle.dumps(metric))]  # noqa: S301 - our own bytes
    values = []
    for one in copies:
        one.update(given(name)[4:], LABELS[4:], ONE_VIDEO[4:], FRAMES[4:])
        values.append(one.compute())
    assert torch.equal(values[0], values[1])
    assert torch.equal(values[0], values[2])
    metric.reset()
    metric.update(given(name), LABELS, ONE_VIDEO, FRAMES)
    assert torch.equal(metric.compute(), values[0])


def test_the_batch_may_be_reused_after_an_update() -> None:
    metric, reused = Top1(3), LABELS.clone()
    metric.update(reused, reused, ONE_VIDEO, FRAMES.clone())
    reused.zero_()
    assert metric.details()["per_class"]["frames"].tolist() == [3, 3, 2]


@pytest.mark.parametrize("name", KINDS)
def test_plot_of_the_base_class(name: str) -> None:
    mpl.use("Agg")
    metric = KINDS[name]()
    metric.update(given(name), LABELS, ONE_VIDEO, FRAMES)
    figure, axes = metric.plot()
    assert figure is not None
    assert axes.lines
    metric.plot([metric.compute(), metric.compute()], ax=axes)
    mpl.pyplot.close(figure)

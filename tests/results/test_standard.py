"""The standard metrics: one place for all, and the same figures as the metrics themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gad_lightning.classifiers.evaluation import Evaluation
from gad_lightning.compare.runs import RESULT, Run, Variant
from gad_lightning.compare.tables import by_variant, differences, markdown, score_run
from gad_lightning.metrics import AnswerReadiness, DetectionDelay, FalseAlarmsPerHour
from gad_lightning.metrics.functional.frames import FrameTable
from gad_lightning.metrics.functional.labels import LabelSpace
from gad_lightning.report.page import page_of
from gad_lightning.report.runs import read_run
from gad_lightning.results import standard
from gad_lightning.results.predictions import read_predictions, write_predictions
from gad_lightning.results.rows import columns_of
from gad_lightning.results.standard import StandardMetric, monitored, names_of, space_of, table_of
from gad_lightning.results.tables import write_json
from gad_lightning.schema import DataSchema, LabelSet, Task
from gad_lightning.types import IGNORED, Predictions

ACTION = Task("action", LabelSet(("rest", "stir", "pour"), 0))
CLIP = Task("step", LabelSet(("a", "b")), per_frame=False)


def count_changes(table: FrameTable, labels: LabelSpace, fps: float) -> Tensor:
    """How often the label changes, and frames."""
    changes = (table.preds[1:] != table.preds[:-1]).sum() if len(table.preds) else torch.tensor(0)
    return torch.stack([changes, torch.tensor(len(table.preds))])


RESTLESS = StandardMetric(
    "restless", "changes a frame", count_changes, lambda counts, labels: counts[..., 0] / counts[..., 1], rises=False
)


def predicted(seed: int = 0, num_frames: int = 60) -> Predictions:
    """Random predictions of two videos."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(num_frames, 3, generator=generator).log_softmax(1)
    frame = torch.arange(num_frames) % (num_frames // 2)
    video = (torch.arange(num_frames) >= num_frames // 2).long()
    truth = torch.randint(0, 3, (num_frames,), generator=torch.Generator().manual_seed(9))
    truth[5] = IGNORED
    return Predictions(video, frame, video * 0, frame, truth, scores, scores, scores)


def leave_run(folder: Path, seed: int) -> Path:
    """A run whose predictions are there."""
    (folder / "predictions").mkdir(parents=True)
    write_predictions(
        folder / "predictions", columns_of(predicted(seed)), DataSchema((ACTION,)), ["tea", "soup"], "GADClassifier"
    )
    facts = {"fit_seconds": 1.0, "predict_seconds": 1.0, "commit": "abc", "hardware": "a machine", "threads": 1}
    write_json(folder / RESULT, facts)
    return folder


def test_a_metric_that_is_added_in_one_place_shows_in_validation_report_and_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standard, "STANDARD", (*standard.STANDARD, RESTLESS))

    evaluation = Evaluation(DataSchema((ACTION,)))
    evaluation.update(predicted())
    assert list(evaluation.compute()) == ["segment_f1", "point_f1", "top1", "restless"]

    folders = {name: leave_run(tmp_path / name / "0", seed) for seed, name in enumerate(("gad", "disc"))}
    runs = [read_run(folder, folder / "predictions")._replace(name=name) for name, folder in folders.items()]
    assert "changes a frame" in page_of(runs, "report")

    scored = by_variant(score_run(Run(Variant(name, Path()), 0, folder)) for name, folder in folders.items())
    found = differences(scored, margin=0.01, resamples=10)
    assert list(found["disc"])[:4] == ["segment_f1", "point_f1", "top1", "restless"]
    assert "| variant | seeds | segment-F1 | point-F1 | Top-1 | changes a frame |" in markdown(scored, found, [])


def test_the_metrics_of_alarms_stand_in_compare_and_say_what_those_of_frames_say(tmp_path: Path) -> None:
    folder = leave_run(tmp_path / "0", 0)
    scored = score_run(Run(Variant("gad", Path()), 0, folder))
    given, keys = {"fps": 4.0, "ignore_index": -100, "gaps": "cut"}, ("preds", "target", "video", "frame")
    metrics = {
        "readiness": AnswerReadiness(len(ACTION.labels.names), **given),
        "mean_delay": DetectionDelay(len(ACTION.labels.names), **given),
        "false_alarms_per_hour": FalseAlarmsPerHour(len(ACTION.labels.names), **given),
    }
    assert [metric.name for metric in standard.TIMELY] == list(metrics) == list(scored.counts)[-3:]
    table = table_of(read_predictions(folder / "predictions")[1][0])
    for name, metric in metrics.items():
        metric.update(*(table._asdict()[key] for key in keys))
        assert scored.score(name) == pytest.approx(float(metric.compute()), rel=1e-6)
    assert scored.shares == {"segment_f1", "point_f1", "top1", "readiness"}


def test_validation_report_and_compare_say_the_same(tmp_path: Path) -> None:
    evaluation = Evaluation(DataSchema((ACTION,)))
    evaluation.update(predicted())
    logged = {name: float(value) for name, value in evaluation.compute().items()}
    folder = leave_run(tmp_path / "0", 0)
    scored = score_run(Run(Variant("gad", Path()), 0, folder))
    assert {name: scored.score(name) for name in logged} == pytest.approx(logged, abs=1e-6)
    _, (found,) = read_predictions(folder / "predictions")
    table = table_of(found)
    for metric in standard.STANDARD:
        value = metric.value(metric.counts(table, space_of(ACTION), 4.0), space_of(ACTION))
        assert float(value) == pytest.approx(logged[metric.name], abs=1e-6)


@pytest.mark.parametrize(
    ("tasks", "names", "monitor"),
    [
        pytest.param((ACTION,), ["segment_f1", "point_f1", "top1"], "val/segment_f1", id="one"),
        pytest.param((CLIP,), ["top1"], "val/top1", id="clips"),
        pytest.param(
            (CLIP, ACTION),
            ["step_top1", "action_segment_f1", "action_point_f1", "action_top1"],
            "val/action_segment_f1",
            id="both",
        ),
    ],
)
def test_names_and_the_metric_that_chooses(tasks: tuple[Task, ...], names: list[str], monitor: str) -> None:
    assert names_of(DataSchema(tasks)) == names
    assert list(Evaluation(DataSchema(tasks)).compute()) == names
    assert monitored(DataSchema(tasks)) == monitor


def test_nothing_scored_is_no_number() -> None:
    none = torch.zeros(2)
    assert np.isnan(float(standard.TOP1.value(none, space_of(ACTION))))


def test_a_gap_and_the_next_video_end_a_segment(tmp_path: Path) -> None:
    made = predicted()
    kept = made.frame != 3
    gap = made.picked(kept)
    write_predictions(tmp_path, columns_of(gap), DataSchema((ACTION,)), None, "")
    _, (found,) = read_predictions(tmp_path)
    assert table_of(found).breaks.nonzero().flatten().tolist() == [0, 3, 29, 32]
    assert table_of(found, 1).breaks.nonzero().flatten().tolist() == [0, 3]

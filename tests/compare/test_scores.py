"""Counts per video add up to what the metrics say of all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gad_lightning.compare.scores import counts_of, grouped, metrics_named, value_of
from gad_lightning.metrics.functional import error_diversity, point_f1, segment_f1, top1
from gad_lightning.results.predictions import TaskPredictions
from gad_lightning.schema import LabelSet, Task

TASK = Task("action", LabelSet(("rest", "stir", "pour", "cut"), 0))


def made_up(seed: int, num_videos: int = 5) -> TaskPredictions:
    """Predictions of 40 frames a video."""
    rng = np.random.default_rng(seed)
    video = np.repeat(np.arange(num_videos), 40)
    label, truth = (np.repeat(rng.integers(0, 4, num_videos * 10), 4) for _ in range(2))
    frame, score = np.tile(np.arange(40), num_videos), np.ones(len(video))
    return TaskPredictions(TASK, tuple("abcde"[:num_videos]), video, frame, label, truth, score)


def direct(metric: str, made: TaskPredictions, chosen: list[int]) -> float:
    """The library's metric on the chosen videos, one of them twice if chosen twice."""
    parts = [made.video == video for video in chosen]
    label, truth = (torch.from_numpy(np.concatenate([c[part] for part in parts])) for c in (made.label, made.truth))
    video, frame = torch.arange(len(chosen)).repeat_interleave(40), torch.arange(40).repeat(len(chosen))
    given: dict[str, Any] = {"num_classes": 4}
    if metric == "top1":
        return float(top1(label, truth, **given))
    if metric == "error_diversity":
        return float(error_diversity(label, truth, background=0, at_errors=20, **given))
    found = segment_f1(label, truth, video, frame, **given) if metric == "segment_f1" else None
    return float(point_f1(label, truth, video, frame, fps=4.0, **given) if found is None else found)


@pytest.mark.parametrize("metric", ["segment_f1", "point_f1", "top1", "error_diversity"])
def test_counts_that_are_added_up_score_a_resample_as_the_metric_does(metric: str) -> None:
    made, chosen = made_up(0), [0, 3, 3, 1, 4]
    (standard,) = metrics_named([metric], TASK)
    counts = counts_of(made, standard, 4.0)
    assert float(value_of(standard, TASK)(counts[chosen].sum(0))) == pytest.approx(
        direct(metric, made, chosen), abs=1e-6
    )


def test_a_task_that_is_asked_once_a_clip_has_the_metrics_of_clips() -> None:
    task = TASK._replace(per_frame=False)
    assert [metric.name for metric in metrics_named(None, task)] == ["top1"]
    assert [metric.name for metric in metrics_named(["segment_f1", "top1"], task)] == ["top1"]


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(KeyError, match="mean_class"):
        metrics_named(["mean_class"], TASK)


def test_videos_of_one_person_are_one_unit_unless_there_is_but_one_person() -> None:
    counts = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    units, summed = grouped(("a", "b", "c"), {"a": "kim", "b": "lee", "c": "kim"}, counts)
    assert units == ("kim", "lee")
    assert summed.tolist() == [[6.0, 8.0], [3.0, 4.0]]
    units, summed = grouped(("a", "b", "c"), dict.fromkeys("abc", "kim"), counts)
    assert units == ("a", "b", "c")
    assert summed.tolist() == counts.tolist()

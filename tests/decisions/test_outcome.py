"""Figures of decisions are what the metrics say of the same events."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gad_lightning.decisions.counting import cost_of, track_of
from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.observed import Observed
from gad_lightning.decisions.outcome import outcome_of
from gad_lightning.decisions.path import Decisions
from gad_lightning.decisions.risk import RiskControl
from gad_lightning.decisions.switches import MinimumDuration
from gad_lightning.decisions.thresholds import Thresholds
from gad_lightning.metrics import AnswerReadiness, DetectionDelay, SetCoverage, VideoRisk
from gad_lightning.schema import LabelSet
from tests.decisions.worlds import STIR, ar1, observed_of, stirring


def logs(seen: Observed) -> Observed:
    """The same with log-probabilities."""
    return seen._replace(scores=np.log(seen.scores))


def test_of_one_class_they_are_those_of_the_metrics() -> None:
    seen = logs(stirring(np.random.default_rng(3), videos=12))
    control = RiskControl("false_alarms", 30.0, 100.0, enter=[2.0, 0.6], leave=[2.0, 0.3])
    made = Decisions(STIR, seen.fps, thresholds=control, duration=MinimumDuration(0.5), sets=ConformalLabels(0.1, 0.7))
    decided = made(seen.scores, seen.breaks)
    found = outcome_of(seen, made)
    on, truth = (torch.from_numpy(column.astype(np.int64)) for column in (decided.on[:, 1], seen.truth[:, 1]))
    keys = torch.from_numpy(seen.video), torch.from_numpy(seen.frame)
    delay, ready = DetectionDelay(2, fps=4), AnswerReadiness(2, fps=4)
    risk, coverage = VideoRisk(2, fps=4, loss="false_alarms", largest=100.0), SetCoverage(2)
    for metric in (delay, ready, risk):
        metric.update(on, truth, *keys)
    coverage.update(torch.from_numpy(made.sets(decided.probabilities)), truth, *keys)
    details = delay.details()
    assert found["alarm_recall"] == pytest.approx(1 - float(details["missed"]))
    assert found["median_delay"] == pytest.approx(float(details["median_seconds"]))
    assert found["false_alarms_per_hour"] == pytest.approx(float(details["false_alarms_per_hour"]))
    assert found["most_false_alarms_per_hour"] == found["false_alarms_per_hour"] > 0
    assert found["readiness"] == pytest.approx(float(ready.compute()))
    assert found["risk"] == pytest.approx(float(risk.compute()))
    assert {name: found[name] for name in ("coverage", "set_size")} == pytest.approx(
        {name: float(value) for name, value in coverage.compute().items()}
    )


def test_classes_that_overlap_count_each_for_itself_and_unknown_truth_joins_events() -> None:
    draw = np.random.default_rng(0)
    labels = LabelSet(("rest", "stir", "salt"), 0)
    logits = 3 * ar1(draw, (3, 800), 0.9).T
    truth = np.repeat(draw.integers(3, size=80), 10)
    truth[100:130] = -100
    scores = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    seen = observed_of(scores, truth, np.repeat(np.arange(4), 200), labels)
    pair = [2.0, 0.3, 0.2], [2.0, 0.2, 0.1]
    found = outcome_of(seen, Decisions(labels, 4.0, thresholds=Thresholds(*pair)))
    calibrated = seen._replace(scores=np.exp(scores))
    costs = [cost_of(track_of(calibrated, label), pair[0][label], pair[1][label], 1) for label in (1, 2)]
    alarms = [cost.alarms.sum() / seen.hours.sum() for cost in costs]
    assert found["false_alarms_per_hour"] == pytest.approx(sum(alarms))
    assert found["most_false_alarms_per_hour"] == pytest.approx(max(alarms))
    recall = sum(cost.found.sum() for cost in costs) / sum(cost.segments.sum() for cost in costs)
    assert found["alarm_recall"] == pytest.approx(recall)
    assert 0 < recall < 1
    assert set(found) & {"risk", "coverage"} == set()


def test_what_is_unknown_is_on_for_no_class() -> None:
    seen = logs(stirring(np.random.default_rng(3), videos=6))
    made = Decisions(STIR, seen.fps, thresholds=Thresholds([2.0, 0.5]))
    found = outcome_of(seen._replace(unknown=np.ones(len(seen.video), dtype=bool)), made)
    assert found["alarm_recall"] == found["false_alarms_per_hour"] == found["readiness"] == 0
    assert math.isnan(found["median_delay"])

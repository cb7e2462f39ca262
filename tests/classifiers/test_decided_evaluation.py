"""A calibrated classifier's validation and test say what its decisions do, and no other's."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Callback

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.calibration import observed_in
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.outcome import outcome_of
from gad_lightning.decisions.risk import RiskControl
from gad_lightning.decisions.switches import MinimumDuration
from gad_lightning.decisions.thresholds import AlarmThresholds
from gad_lightning.errors import DataError
from gad_lightning.results.standard import names_of

EVENTS = {"alarm_recall", "median_delay", "false_alarms_per_hour", "most_false_alarms_per_hour", "readiness"}


class World(NamedTuple):
    """A classifier that has learned a little, and its data."""

    classifier: Classifier
    data: ToyActions


@pytest.fixture(scope="module")
def world() -> World:
    """Eight validation videos of toy features."""
    data = ToyActions(num_videos=32, mode="one_pass", short_memory=4, chunk=32)
    torch.manual_seed(0)
    model = DiscriminativeClassifier(schema=data.schema, backbone=TinyBackbone(hidden_size=32, num_layers=1))
    trainer().fit(model, data)
    return World(model, data)


def trainer(*callbacks: Callback) -> Trainer:
    """Four epochs on the CPU."""
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return Trainer(max_epochs=4, accelerator="cpu", callbacks=list(callbacks), enable_model_summary=False, **quiet)


def test_validate_and_test_give_the_figures_of_the_decisions(world: World) -> None:
    classifier, data = world
    (before,) = trainer().validate(classifier, data, verbose=False)
    assert set(before) == {f"val/{name}" for name in names_of(data.schema)}
    made = classifier.calibrate(data, AlarmThresholds(400.0, fewest=1, absent="pool"), MinimumDuration(0.5))
    (found,) = trainer().validate(classifier, data, verbose=False)
    assert {name: found[name] for name in before} == before
    assert set(found) - set(before) == {f"val/{name}" for name in EVENTS}
    with torch.inference_mode():
        seen = observed_in(data, classifier.score_in_evaluation, torch.device("cpu"), data.schema, 0)
    expected = outcome_of(seen, made)
    assert {name: found[f"val/{name}"] for name in EVENTS} == pytest.approx(expected, nan_ok=True)
    assert found["val/most_false_alarms_per_hour"] <= 400
    (tested,) = trainer().test(classifier, data, verbose=False)
    assert {f"test/{name}" for name in EVENTS} < set(tested)
    classifier.decisions = {}


def test_risk_and_label_sets_are_shown_where_they_were_fitted(world: World) -> None:
    classifier, data = world
    classifier.calibrate(data, RiskControl("missed", 0.5), sets=ConformalLabels(0.2))
    (found,) = trainer().validate(classifier, data, verbose=False)
    assert found["val/risk"] <= 0.5
    assert found["val/coverage"] >= 0.8
    assert 1 <= found["val/set_size"] <= len(data.class_names)
    classifier.decisions = {}


def test_scores_that_are_nan_are_told(world: World) -> None:
    classifier, data = world
    classifier.calibrate(data, RiskControl("missed", 0.5))
    kept = {name: value.clone() for name, value in classifier.state_dict().items()}
    with torch.no_grad():
        next(iter(classifier.trained_state().values())).fill_(float("nan"))
    with pytest.raises(DataError, match="are no log-probabilities"):
        trainer().validate(classifier, data, verbose=False)
    classifier.load_state_dict(kept)
    classifier.decisions = {}

"""A temperature is found again, and probabilities are then right as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import optimize
from torch.nn.functional import cross_entropy

from gad_lightning.decisions.observed import Observed
from gad_lightning.decisions.temperature import Temperature, reliability
from gad_lightning.errors import DataError, SettingError
from gad_lightning.schema import LabelSet
from tests.decisions.worlds import observed_of


def overconfident(several: bool, factor: float = 3.0) -> Observed:
    """Scores ``factor`` times as sure as they should be."""
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(4000, 3))
    labels = LabelSet(("a", "b", "c"), multi_label=several)
    if several:
        hot = (draw.random((4000, 3)) < 1 / (1 + np.exp(-logits))).astype(np.int8)
        seen = observed_of(-np.logaddexp(0, -factor * logits), np.zeros(4000, dtype=np.int64), labels=labels)
        return seen._replace(truth=hot)
    true = (logits + draw.gumbel(size=logits.shape)).argmax(1)
    scaled = factor * logits
    return observed_of(scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True), true, labels=labels)


@pytest.mark.parametrize("several", [False, True])
def test_the_temperature_is_found_again_and_reliability_is_better(several: bool) -> None:
    seen = overconfident(several)
    found = Temperature.fit(seen)
    assert found.value == pytest.approx(3.0, rel=0.08)
    before, after = reliability(seen, Temperature()), reliability(seen, found)
    assert after.log_loss < before.log_loss
    assert after.error < 0.03 < 0.1 < before.error


def test_it_is_the_optimum_of_the_cross_entropy_of_torch() -> None:
    seen = overconfident(False)
    scores, truth = torch.from_numpy(seen.scores), torch.from_numpy(seen.truth.argmax(1))

    def loss(value: float) -> float:
        return float(cross_entropy(scores / value, truth))

    best = optimize.minimize_scalar(loss, bounds=(0.1, 10), method="bounded").x
    found = Temperature.fit(seen)
    assert found.value == pytest.approx(best, rel=1e-3)
    assert reliability(seen, found).log_loss == pytest.approx(loss(found.value), rel=1e-6)


def test_a_temperature_of_one_changes_nothing() -> None:
    for several in (False, True):
        scores = overconfident(several).scores[:50]
        assert Temperature()(scores, several) == pytest.approx(np.exp(scores), abs=1e-6)


def test_classes_without_a_score_stay_at_nothing() -> None:
    scores = np.log(np.array([[0.5, 0.5, 0.0]]) + 1e-300)
    scores[0, 2] = -np.inf
    assert Temperature(2.0)(scores, several=False).tolist() == [[0.5, 0.5, 0.0]]
    assert Temperature(2.0)(scores, several=True)[0, 2] < 1e-100


def test_frames_whose_truth_has_no_score_do_not_count() -> None:
    seen = overconfident(False)
    scores = seen.scores.copy()
    rows = np.arange(0, 4000, 10)
    scores[rows, seen.truth[rows].argmax(1)] = -np.inf
    assert Temperature.fit(seen._replace(scores=scores)).value == pytest.approx(3.0, rel=0.1)
    none = np.where(seen.truth == 1, -np.inf, 0.0)
    with pytest.raises(DataError, match="true class has a probability of 0"):
        Temperature.fit(seen._replace(scores=none))


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_is_above_zero(value: float) -> None:
    with pytest.raises(SettingError, match="A temperature is above 0"):
        Temperature(value)

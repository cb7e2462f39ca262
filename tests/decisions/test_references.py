"""Where another library computes the same thing, it says the same."""

from __future__ import annotations

from typing import Self

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from gad_lightning.decisions.label_sets import ConformalLabels
from gad_lightning.decisions.observed import Floats, Ints
from gad_lightning.decisions.temperature import Temperature
from gad_lightning.schema import LabelSet
from tests.decisions.worlds import observed_of

LABELS = LabelSet(("rest", "stir", "pour", "salt"))


def said(frames: int, seed: int) -> tuple[Floats, Ints]:
    """Probabilities that are too sure, and the truth: (F, 4) and (F,)."""
    draw = np.random.default_rng(seed)
    honest = draw.dirichlet([0.7] * 4, size=frames)
    truth = (honest.cumsum(1) > draw.random((frames, 1))).argmax(1)
    sure = np.maximum(honest, 1e-9) ** 2.5
    return sure / sure.sum(1, keepdims=True), truth


class Told(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier whose features are its probabilities."""

    def __init__(self) -> None:
        self.classes_ = np.arange(4)

    def fit(self, features: Floats, truth: Ints) -> Self:
        """Learn nothing."""
        return self

    def predict_proba(self, features: Floats) -> Floats:
        """The features."""
        return features

    def predict(self, features: Floats) -> Ints:
        """The likeliest class."""
        found: Ints = features.argmax(1)
        return found


@pytest.mark.parametrize("error", [0.05, 0.1, 0.3])
def test_of_one_frame_a_video_the_sets_are_those_of_mapie(error: float) -> None:
    classification = pytest.importorskip("mapie.classification", reason="needs mapie, of the extra test")
    scores, truth = said(101, 0)
    new, _ = said(300, 1)
    theirs = classification.SplitConformalClassifier(Told(), confidence_level=1 - error, conformity_score="lac")
    theirs.conformalize(scores, truth)
    _, sets = theirs.predict_set(new)
    expected = sets[:, :, 0].astype(bool)
    expected[np.arange(300), new.argmax(1)] = True  # ours always hold the likeliest class
    ours = ConformalLabels(error).fit(observed_of(scores, truth, np.arange(101), LABELS))
    assert np.array_equal(ours(new), expected)
    assert 1 < expected.sum(1).mean() < 4


def test_the_temperature_is_that_of_netcal() -> None:
    scaling = pytest.importorskip(
        "netcal.scaling",
        reason="netcal is in no extra: it brings tensorboard, which changes Lightning's default logger, and pyro",
        exc_type=ImportError,
    )
    scores, truth = said(4000, 2)
    new, _ = said(50, 3)
    theirs = scaling.TemperatureScaling()
    theirs.fit(scores, truth, tensorboard=False)
    ours = Temperature.fit(observed_of(np.log(scores), truth, labels=LABELS))
    assert ours.value == pytest.approx(2.5, rel=0.1)
    assert np.allclose(theirs.transform(new), ours(np.log(new), several=False), atol=2e-3)

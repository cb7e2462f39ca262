"""Every score keeps what it learned, and is made again."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import pytest
import torch

from gad_lightning.errors import DataError
from gad_lightning.rebuilding import rebuild
from gad_lightning.rejection.base import RejectionScore
from gad_lightning.rejection.energy import EnergyScore
from gad_lightning.rejection.generalized_entropy import GeneralizedEntropyScore
from gad_lightning.rejection.mahalanobis import MahalanobisScore
from gad_lightning.rejection.max_logit import MaxLogitScore
from gad_lightning.rejection.max_softmax import MaxSoftmaxScore
from gad_lightning.rejection.neighbors import NeighborScore
from gad_lightning.rejection.virtual_logit import ViMScore
from tests.rejection.making import BIAS, LABELS, STATES, TRAINING, WEIGHT, fitted, logits_of

SCORES = [
    MaxSoftmaxScore(),
    MaxLogitScore(),
    EnergyScore(),
    GeneralizedEntropyScore(),
    NeighborScore(),
    MahalanobisScore(shrinkage=0.0),
    ViMScore(dimensions=3),
]
EVERY = pytest.mark.parametrize("score", SCORES, ids=[type(score).__name__ for score in SCORES])


@EVERY
def test_a_score_is_made_again_with_what_it_learned(score: RejectionScore) -> None:
    kept = fitted(score).state_dict()
    again = rebuild(score.spec())
    again.make_room({name: list(values.shape) for name, values in kept.items()})
    again.load_state_dict(kept)
    assert torch.equal(again(STATES, logits_of(STATES)), score(STATES, logits_of(STATES)))


@EVERY
def test_half_precision_rounds_nothing_that_was_learned(score: RejectionScore) -> None:
    before = fitted(score)(STATES, logits_of(STATES))
    assert torch.equal(score.to(torch.bfloat16)(STATES, logits_of(STATES)), before)


@pytest.fixture(scope="module")
def detectors() -> ModuleType:
    """Those of pytorch-ood, without the package's other parts, which are of pictures and need torchvision."""
    found = find_spec("pytorch_ood")
    if found is None:
        pytest.skip("pytorch-ood is not installed: pip install --no-deps pytorch-ood")
    package = ModuleType("pytorch_ood")
    package.__path__ = list(found.submodule_search_locations or ())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pytorch_ood", package)
        return import_module("pytorch_ood.detector")


@EVERY
def test_pytorch_ood_gives_the_same_scores(score: RejectionScore, detectors: ModuleType) -> None:
    logits, learned = logits_of(STATES), (TRAINING, LABELS)
    made = {
        "MaxSoftmaxScore": lambda: detectors.MaxSoftmax(None).predict_logits(logits),
        "MaxLogitScore": lambda: detectors.MaxLogit(None).predict_logits(logits),
        "EnergyScore": lambda: detectors.EnergyBased(None).predict_logits(logits),
        "GeneralizedEntropyScore": lambda: detectors.GEN(None).predict_logits(logits),
        "NeighborScore": lambda: detectors.KNN(None, k=6).fit_features(*learned).predict_features(STATES),
        "MahalanobisScore": lambda: 60 * detectors.Mahalanobis(None).fit_features(*learned).predict_features(STATES),
        "ViMScore": lambda: detectors.ViM(None, 3, WEIGHT, BIAS).fit_features(*learned).predict_features(STATES),
    }
    expected = np.asarray(made[type(score).__name__]())
    np.testing.assert_allclose(fitted(score)(STATES, logits).numpy(), expected, rtol=1e-6, atol=1e-6)


def test_too_few_segments_are_counted() -> None:
    with pytest.raises(DataError, match="NeighborScore wants at least 5 training segments, and there are 2"):
        NeighborScore().check_enough(2, 5)

"""The distance to the nearest class, in spreads."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.errors import SettingError
from gad_lightning.rejection.mahalanobis import MahalanobisScore
from tests.rejection import reference
from tests.rejection.making import LABELS, STATES, TRAINING, T, X, check_admits, check_equal, logits_of


def test_it_equals_the_reference() -> None:
    check_equal(MahalanobisScore(shrinkage=0.0), reference.mahalanobis(X, T, LABELS.numpy()))


def test_segments_that_are_admitted_are_known() -> None:
    check_admits(MahalanobisScore())


def test_fewer_segments_than_numbers_are_no_trouble_with_shrinkage() -> None:
    score = MahalanobisScore()
    score.fit(TRAINING[:5], logits_of(TRAINING[:5]), LABELS[:5])
    assert bool(score(STATES, logits_of(STATES)).isfinite().all())


def test_a_covariance_without_an_inverse_is_told() -> None:
    with pytest.raises(SettingError, match="2 training segments with 8 numbers each has no inverse"):
        MahalanobisScore(shrinkage=0).fit(TRAINING[:2], logits_of(TRAINING[:2]), torch.tensor([0, 1]))


def test_a_shrinkage_below_0_is_refused() -> None:
    with pytest.raises(SettingError, match="shrinkage of MahalanobisScore must be 0 or more, got -1"):
        MahalanobisScore(shrinkage=-1)

"""Entropy that minds small probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from gad_lightning.errors import SettingError
from gad_lightning.rejection.generalized_entropy import GeneralizedEntropyScore
from tests.rejection import reference
from tests.rejection.making import LOGITS, check_equal


def test_it_equals_the_reference() -> None:
    check_equal(GeneralizedEntropyScore(), reference.generalized_entropy(LOGITS))


def test_more_classes_than_there_are_mean_all() -> None:
    check_equal(GeneralizedEntropyScore(classes=100), reference.generalized_entropy(LOGITS))


def test_only_the_largest_probabilities_count_where_so_wanted() -> None:
    probabilities = np.sort(reference.softmax(LOGITS), axis=1)[:, -2:]
    check_equal(GeneralizedEntropyScore(gamma=1, classes=2), (probabilities * (1 - probabilities)).mean(1))


def test_a_gamma_of_nothing_is_refused() -> None:
    with pytest.raises(SettingError, match="gamma above 0 and at least 1 class, got 0 and None"):
        GeneralizedEntropyScore(gamma=0)

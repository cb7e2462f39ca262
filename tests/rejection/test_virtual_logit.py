"""What lies outside the space of the training states."""

from __future__ import annotations

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.rejection.virtual_logit import ViMScore
from tests.rejection import reference
from tests.rejection.making import LABELS, TRAINING, B, T, W, X, check_equal, logits_of


def test_it_equals_the_reference() -> None:
    check_equal(ViMScore(dimensions=3), reference.vim(X, T, W, B, 3))


def test_log_probabilities_are_no_logits() -> None:
    with pytest.raises(SettingError, match="ViMScore wants logits above 0"):
        ViMScore().fit(TRAINING, logits_of(TRAINING).log_softmax(1), LABELS)


def test_a_principal_space_that_is_everything_is_refused() -> None:
    with pytest.raises(SettingError, match="dimensions of ViMScore is 8, and states have 8 numbers"):
        ViMScore(dimensions=8).fit(TRAINING, logits_of(TRAINING), LABELS)


def test_no_dimension_is_refused() -> None:
    with pytest.raises(SettingError, match="dimensions of ViMScore must be at least 1, got 0"):
        ViMScore(dimensions=0)

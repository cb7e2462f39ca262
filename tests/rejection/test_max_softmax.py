"""The largest probability."""

from __future__ import annotations

from gad_lightning.rejection.max_softmax import MaxSoftmaxScore
from tests.rejection import reference
from tests.rejection.making import LOGITS, check_equal


def test_it_equals_the_reference() -> None:
    check_equal(MaxSoftmaxScore(), -reference.softmax(LOGITS).max(1))

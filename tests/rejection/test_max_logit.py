"""The largest logit."""

from __future__ import annotations

from gad_lightning.rejection.max_logit import MaxLogitScore
from tests.rejection.making import LOGITS, check_equal


def test_it_equals_the_reference() -> None:
    check_equal(MaxLogitScore(), -LOGITS.max(1))

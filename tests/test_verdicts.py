"""Verdicts on the claims, as pure functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CLAIMS = Path(__file__).resolve().parent.parent / "experiments" / "claims"


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, which stands beside the others."""
    monkeypatch.syspath_prepend(str(CLAIMS))
    import verdicts

    return verdicts


def test_holms_correction_is_no_smaller_for_a_larger_p(verdicts: Any) -> None:
    assert verdicts.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    assert verdicts.holm({"a": 0.02, "b": 0.02, "c": 0.9}) == pytest.approx({"a": 0.06, "b": 0.06, "c": 0.9})


@pytest.mark.parametrize(
    ("value", "p", "verdict"), [(0.03, 0.01, "holds"), (-0.03, 0.01, "does not"), (0.03, 0.2, "undecided")]
)
def test_the_first_is_better_if_the_difference_is_sure(verdicts: Any, value: float, p: float, verdict: str) -> None:
    assert verdicts.verdict_of_more(value, p, 1.0) == verdict


@pytest.mark.parametrize(
    ("value", "p", "p_equivalent", "verdict"),
    [(0.001, 0.5, 0.01, "holds"), (0.1, 0.01, 1.0, "does not"), (0.001, 0.01, 1.0, "undecided")],
)
def test_two_are_the_same_if_no_difference_that_matters_is_left(
    verdicts: Any, value: float, p: float, p_equivalent: float, verdict: str
) -> None:
    assert verdicts.verdict_of_same(value, p, p_equivalent, margin=0.01) == verdict


def test_a_claim_of_several_parts_holds_if_all_of_them_do(verdicts: Any) -> None:
    assert verdicts.joint_verdict(["holds", "holds"]) == "holds"
    assert verdicts.joint_verdict(["holds", "undecided"]) == "undecided"
    assert verdicts.joint_verdict(["does not", "undecided"]) == "does not"

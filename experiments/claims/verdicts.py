"""What a claim's tests say together: p values corrected for their number, and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

_Key = TypeVar("_Key")
Verdict = Literal["holds", "does not", "undecided"]


def holm(p: Mapping[_Key, float]) -> dict[_Key, float]:
    """Holm's correction: the smallest p is multiplied by the number of tests, the next by one less, and so on.

    Example:
        >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
        {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    adjusted: dict[_Key, float] = {}
    largest = 0.0
    for rank, (name, value) in enumerate(sorted(p.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, value * (len(p) - rank)))
        adjusted[name] = largest
    return adjusted


def verdict_of_more(value: float, p: float, p_equivalent: float, alpha: float = 0.05) -> Verdict:
    """Verdict on "the first is better": it does not hold if the second is, or if no difference that matters is left.

    Args:
        value: first minus second.
        p: two-sided, corrected for the number of tests.
        p_equivalent: of a difference of the margin or more, corrected too.
        alpha: level of the verdict.

    Example:
        >>> verdict_of_more(0.03, 0.01, 1.0), verdict_of_more(-0.03, 0.01, 1.0), verdict_of_more(0.03, 0.2, 1.0)
        ('holds', 'does not', 'undecided')
    """
    if p < alpha and value > 0:
        return "holds"
    return "does not" if p < alpha or p_equivalent < alpha else "undecided"


def verdict_of_same(value: float, p: float, p_equivalent: float, margin: float, alpha: float = 0.05) -> Verdict:
    """Verdict on "the two are the same": it does not hold if they differ, by the margin or more as far as is known.

    Args:
        value: first minus second.
        p: two-sided, corrected for the number of tests.
        p_equivalent: of a difference of the margin or more, corrected too.
        margin: least difference that matters.
        alpha: level of the verdict.

    Example:
        >>> verdict_of_same(0.001, 0.5, 0.01, margin=0.01), verdict_of_same(0.1, 0.01, 1.0, margin=0.01)
        ('holds', 'does not')
    """
    if p_equivalent < alpha:
        return "holds"
    return "does not" if p < alpha and abs(value) >= margin else "undecided"


def joint_verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """A claim of several parts holds if all of them do, and does not if one of them does not.

    Example:
        >>> joint_verdict(["holds", "undecided"]), joint_verdict(["does not", "undecided"])
        ('undecided', 'does not')
    """
    if "does not" in verdicts:
        return "does not"
    return "holds" if verdicts and set(verdicts) == {"holds"} else "undecided"

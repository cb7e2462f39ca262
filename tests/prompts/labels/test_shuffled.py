"""Random words that overlap as the names do."""

from __future__ import annotations

from gad_lightning.prompts.labels.shuffled import ShuffledLabels
from gad_lightning.prompts.labels.words import WordLabels
from tests.prompts.letters import Words26


def overlap(rows: list[list[int]]) -> list[list[int]]:
    """How many tokens every two classes share."""
    return [[len(set(first) & set(second)) for second in rows] for first in rows]


def test_shuffled_labels_overlap_as_the_names_do() -> None:
    names, vocabulary = ["ab", "bc", "cad", "xyz"], Words26()
    plain, shuffled = WordLabels().tokens(names, vocabulary), ShuffledLabels(seed=1).tokens(names, vocabulary)
    assert overlap(shuffled) == overlap(plain)
    assert shuffled != plain
    assert shuffled == ShuffledLabels(seed=1).tokens(names, vocabulary)

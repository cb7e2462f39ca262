"""Labels that share nothing."""

from __future__ import annotations

from gad_lightning.prompts.labels.random import RandomLabels
from tests.prompts.letters import Words26


def test_random_labels_keep_their_lengths_and_share_nothing() -> None:
    rows = RandomLabels().tokens(["ab", "bc", "cad"], Words26())
    assert [len(ids) for ids in rows] == [2, 2, 3]
    assert len({token for ids in rows for token in ids}) == 7

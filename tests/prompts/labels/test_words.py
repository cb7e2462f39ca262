"""Names in their own words."""

from __future__ import annotations

from gad_lightning.prompts.labels.words import WordLabels
from tests.prompts.letters import Words26


def test_a_name_is_written_with_the_tokens_of_its_text() -> None:
    assert WordLabels().tokens(["ab", "c d"], Words26()) == [[0, 1], [2, 3]]

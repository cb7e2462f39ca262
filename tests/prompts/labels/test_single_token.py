"""One new token a class."""

from __future__ import annotations

from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from tests.prompts.letters import writer


def test_single_label_tokens_are_new_and_distinct() -> None:
    assert writer(SingleTokenLabels()).label_answers(0) == [[32, 31], [33, 31], [34, 31]]

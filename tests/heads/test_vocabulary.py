"""Classes as rows of the language model's head."""

from __future__ import annotations

import torch

from gad_lightning.heads.vocabulary import VocabularyHead
from gad_lightning.schema import LabelSet

LABELS = LabelSet(("background", "stir", "cut"), 0)


def test_it_has_one_row_a_class_and_no_bias() -> None:
    head = VocabularyHead(8, LABELS)
    assert [name for name, _ in head.named_parameters()] == ["rows.weight"]
    assert torch.equal(head(torch.zeros(2, 8)), torch.zeros(2, 3))

"""Every head keeps the contract (Q, H) -> (Q, C)."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.heads.base import ClassifierHead
from gad_lightning.heads.cosine import CosineHead
from gad_lightning.heads.linear import LinearHead
from gad_lightning.heads.mlp import MLPHead
from gad_lightning.heads.vocabulary import VocabularyHead
from gad_lightning.rebuilding import factory
from gad_lightning.schema import LabelSet

LABELS = LabelSet(("background", "stir", "cut"), 0)
HEADS = pytest.mark.parametrize("head", [LinearHead, VocabularyHead, CosineHead, MLPHead])


@HEADS
@pytest.mark.parametrize("queries", [0, 1, 5])
def test_shape_also_without_queries(head: type[ClassifierHead], queries: int) -> None:
    logits = head(8, LABELS)(torch.randn(queries, 8))
    assert logits.shape == (queries, 3)
    logits.sum().backward()


@HEADS
def test_a_head_is_made_again_from_its_spec(head: type[ClassifierHead]) -> None:
    made = head(8, LABELS)
    again = factory(made.spec(supplied=2))(8, LABELS)
    again.load_state_dict(made.state_dict())
    states = torch.randn(4, 8)
    assert torch.equal(made.eval()(states), again.eval()(states))


def test_a_head_without_a_forward_is_told_so() -> None:
    class Empty(ClassifierHead):
        """Forgets to say how."""

    with pytest.raises(NotImplementedError):
        Empty(8, LABELS)(torch.zeros(1, 8))

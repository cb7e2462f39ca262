"""Every head keeps the contract (Q, H) -> (Q, C)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gad_lightning.errors import SettingError
from gad_lightning.heads.base import ClassifierHead, check_factory, check_widths
from gad_lightning.heads.cosine import CosineHead
from gad_lightning.heads.factor import FactorHead
from gad_lightning.heads.linear import LinearHead
from gad_lightning.heads.mlp import MLPHead
from gad_lightning.heads.vocabulary import VocabularyHead
from gad_lightning.rebuilding import factory
from gad_lightning.schema import LabelSet

LABELS = LabelSet(("background", "stir", "cut"), 0)
HEADS = pytest.mark.parametrize("head", [LinearHead, VocabularyHead, CosineHead, MLPHead, FactorHead])


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


class Restless(ClassifierHead):
    """Draws numbers and counts what it is asked."""

    def __init__(self, hidden_size: int, labels: LabelSet) -> None:
        super().__init__(hidden_size, labels)
        self.rows, self.noise = nn.Linear(hidden_size, 3), nn.Dropout(0.5).eval()
        self.norm = nn.BatchNorm1d(hidden_size)
        self.asked: list[bool] = []

    def forward(self, states: Tensor) -> Tensor:
        self.asked.append(torch.is_grad_enabled() or self.norm.training)
        logits: Tensor = self.rows(self.norm(states) + torch.rand_like(states))
        return logits


def test_a_head_is_tried_once_and_left_as_it_was() -> None:
    head = Restless(8, LABELS)
    before, modes = torch.get_rng_state(), [module.training for module in head.modules()]
    check_widths(nn.ModuleList([head]), 8, [LABELS], "model.head")
    assert head.asked == [False]
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in head.modules()] == modes
    assert head.norm.num_batches_tracked == 0


def test_a_head_without_memory_is_not_tried() -> None:
    with torch.device("meta"):
        head = nn.ModuleList([nn.Linear(8, 4)])
    check_widths(head, 8, [LABELS], "model.head")
    with pytest.raises(SettingError, match=r"model.head, a Linear, makes shape \(1, 4\) .* are 3 classes"):
        check_widths(nn.ModuleList([nn.Linear(8, 4)]), 8, [LABELS], "model.head")


class Pair(nn.Module):
    """Gives two things."""

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        return states, states


def test_a_head_that_gives_no_tensor_is_refused() -> None:
    with pytest.raises(SettingError, match=r"model.head, a Pair, makes a tuple of a state"):
        check_widths(nn.ModuleList([Pair()]), 8, [LABELS], "model.head")


def test_a_factory_is_a_class_or_function_and_no_head() -> None:
    check_factory(LinearHead, "model.head")
    check_factory(lambda size, labels: LinearHead(size, labels), "model.head")
    with pytest.raises(SettingError, match=r"model.head must be a factory .*, and is the LinearHead LinearHead\("):
        check_factory(LinearHead(8, LABELS), "model.head")

"""Losses as sums and counts."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.losses import class_loss, query_weights, token_weights
from gad_lightning.types import IGNORED


def test_class_loss_divides_by_the_scored_queries_and_not_by_their_weights() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 5.0]])
    loss = class_loss(logits, torch.tensor([0, 1, IGNORED]), torch.tensor([1.0, 0.5, 1.0]))
    expected = -logits[0].log_softmax(0)[0] - 0.5 * logits[1].log_softmax(0)[1]
    assert float(loss.sum) == pytest.approx(float(expected))
    assert float(loss.count) == 2


def test_several_labels_are_asked_one_by_one() -> None:
    logits, label = torch.tensor([[0.0, 3.0], [1.0, 1.0]]), torch.tensor([[1.0, 1.0], [-100.0, -100.0]])
    loss = class_loss(logits, label, torch.ones(2))
    expected = -torch.tensor([0.0, 3.0]).sigmoid().log().sum()
    assert float(loss.sum) == pytest.approx(float(expected))
    assert float(loss.count) == 1


def test_long_texts_weigh_no_more_than_short_ones() -> None:
    share, count = token_weights(torch.tensor([0, 0, 0, 2]), torch.tensor([1.0, 1.0, 0.6]))
    assert share.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.6])
    assert float(count) == 2


def test_background_queries_have_a_weight_of_their_own() -> None:
    label, background = torch.tensor([0, 1, 0, IGNORED]), torch.tensor([0, 0, -1, 0])
    assert query_weights(label, background, 0.25).tolist() == [0.25, 1.0, 1.0, 1.0]

"""Rows that are projections of what texts mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gad_lightning.backbones.new_tokens import NewTokens
from gad_lightning.types import TextRow

ASKED: list[str] = []


def tower(texts: Sequence[str], name: str | None) -> Tensor:
    """Vectors of width 5."""
    ASKED.extend(texts)
    return torch.stack([torch.randn(5, generator=torch.Generator().manual_seed(len(text))) for text in texts]) + 3


def table(width: int | None = None, name: str | None = None) -> NewTokens:
    """A token of its own between two that mean something, beside a vocabulary of 50 tokens of width 8."""
    torch.manual_seed(0)
    made = NewTokens()
    made.reserve("add", True, TextRow("add", name, width))
    made.reserve("<cls>")
    made.reserve("<one>", True)
    made.reserve("salted", True, TextRow("salted", name, width))
    made.build(torch.randn(50, 8), torch.randn(50, 8) * 3, tower)
    return made


def test_every_name_has_its_own_row_whatever_it_is_made_of() -> None:
    made = table()
    assert made.meaning is not None
    rows = made.embed(torch.arange(4))
    assert torch.equal(rows[[1, 2]], made.input)
    assert torch.equal(rows[[0, 3]], made.meaning.input())
    states = torch.randn(6, 8)
    logits = made.logits(states)
    assert bool(logits[:, 1].isneginf().all())
    assert torch.allclose(logits[:, [0, 3]], states @ made.meaning.output().T)
    assert torch.equal(logits[:, 2:3], states @ made.output.T)


def test_embeddings_are_centered_for_a_language_model_and_of_length_1() -> None:
    for name in (None, "encoder"):
        made = table(name=name).meaning
        assert made is not None
        raw = tower(["add", "salted"], None)
        assert torch.allclose(made.vectors, normalize(raw - (raw.mean(0) if name is None else 0), dim=-1), atol=1e-6)


def test_rows_have_the_spread_of_the_language_model_and_move_with_the_projections_alone() -> None:
    made = table(name="encoder")
    assert made.meaning is not None
    assert made.text_width == 5
    assert 0.4 < float(made.meaning.input().std()) < 2
    assert 1.2 < float(made.meaning.output().std()) < 6
    made.embed(torch.arange(4)).sum().backward()
    assert made.meaning.vectors.grad is None
    assert made.meaning.to_input.grad is not None


def test_a_checkpoints_width_asks_no_tower() -> None:
    ASKED.clear()
    made = table(width=9, name="gone")
    assert ASKED == []
    assert made.text_width == 9

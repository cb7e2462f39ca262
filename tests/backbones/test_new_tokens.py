"""Tokens outside the vocabulary."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.backbones.new_tokens import NewTokens
from gad_lightning.errors import SettingError


def built(*names: str, written: tuple[str, ...] = ()) -> NewTokens:
    """A table beside a vocabulary of 50 tokens of width 8."""
    table = NewTokens()
    for name in (*names, *written):
        table.reserve(name, written=name in written)
    table.build(torch.randn(50, 8), torch.randn(50, 8) * 3)
    return table


def test_a_name_has_one_row_however_often_it_is_reserved() -> None:
    table = NewTokens()
    assert [table.reserve(name) for name in ("<cls>", "<a>", "<cls>")] == [0, 1, 0]


def test_only_written_tokens_can_be_answered() -> None:
    table = built("<cls>", written=("<a>", "<b>"))
    logits = table.logits(torch.randn(4, 8))
    assert logits.shape == (4, 3)
    assert bool(logits[:, 0].isneginf().all())
    assert bool(logits[:, 1:].isfinite().all())


def test_a_table_without_tokens_has_no_weights() -> None:
    assert list(built().parameters()) == []


def test_a_token_after_the_table_was_built_is_refused() -> None:
    with pytest.raises(SettingError, match="'<late>' comes after"):
        built("<cls>").reserve("<late>")


def test_the_gradient_of_a_row_is_that_of_one_thread_with_any_number_of_threads() -> None:
    table = NewTokens()
    table.reserve("<cls>")
    table.build(torch.randn(50, 96), torch.randn(50, 96))
    (row,) = table.parameters()
    above, before = torch.randn(4000, 96), torch.get_num_threads()
    gradients = []
    try:
        for threads in (1, 2, 3, 4, 3, 4):
            torch.set_num_threads(threads)
            (of_row,) = torch.autograd.grad((table.embed(torch.zeros(4000, dtype=torch.int64)) * above).sum(), row)
            gradients.append(of_row)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(of_row, gradients[0]) for of_row in gradients)

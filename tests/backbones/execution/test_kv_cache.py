"""Keys and values by place: written, forgotten, copied."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.backbones.execution.kv_cache import KVCache
from gad_lightning.types import Kind, Places


def tokens(*positions: int) -> Places:
    """A row of prompt tokens."""
    position = torch.tensor([positions])
    return Places(
        torch.full_like(position, int(Kind.PROMPT)), position * 0, position * 0 - 1, position * 0 - 1, position
    )


def test_what_is_written_is_returned_at_its_room_beside_what_was_there() -> None:
    cache = KVCache(1, 4)
    cache.admit(tokens(0, 1), torch.tensor([[2, 0]]))
    cache.update(torch.tensor([[[[1.0], [2.0]]]]), torch.tensor([[[[3.0], [4.0]]]]), 0)
    known = cache.admit(tokens(2), torch.tensor([[3]]))
    keys, values = cache.update(torch.tensor([[[[5.0]]]]), torch.tensor([[[[6.0]]]]), 0, kwargs={})
    assert keys.flatten().tolist() == [2.0, 0.0, 1.0, 5.0]
    assert values.flatten().tolist() == [4.0, 0.0, 3.0, 6.0]
    assert known.position.tolist() == [[1, -1, 0, 2]]


def test_forgotten_tokens_are_padding() -> None:
    cache = KVCache(2, 3)
    cache.choose(torch.tensor([1]))
    cache.admit(tokens(0, 1, 2), torch.tensor([[0, 1, 2]]))
    cache.forget(torch.tensor([1]), first=1)
    assert cache.places.kind.tolist() == [[int(Kind.PAD)] * 3, [int(Kind.PROMPT), int(Kind.PAD), int(Kind.PAD)]]


def test_a_row_is_copied_to_others() -> None:
    cache = KVCache(3, 2)
    cache.choose(torch.tensor([0]))
    cache.admit(tokens(0, 1), torch.tensor([[0, 1]]))
    cache.update(torch.tensor([[[[1.0], [2.0]]]]), torch.tensor([[[[3.0], [4.0]]]]), 0)
    cache.copy_row(0, torch.tensor([2]), 1)
    assert cache.keys[0][:, 0, :, 0].tolist() == [[1.0, 2.0], [0.0, 0.0], [1.0, 0.0]]
    assert cache.places.position.tolist() == [[0, 1], [-1, -1], [0, -1]]


@pytest.mark.parametrize("rows", [[0], [1, 2], [0, 2]])
def test_only_chosen_rows_are_returned(rows: list[int]) -> None:
    cache = KVCache(3, 1)
    cache.choose(torch.tensor(rows))
    cache.admit(
        Places(*(part.expand(len(rows), -1) for part in tokens(0))), torch.zeros(len(rows), 1, dtype=torch.int64)
    )
    new = torch.arange(1.0, len(rows) + 1).view(-1, 1, 1, 1)
    keys, _ = cache.update(new, new, 0)
    assert torch.equal(keys, new)
    assert cache.nbytes == 2 * 3 * 4

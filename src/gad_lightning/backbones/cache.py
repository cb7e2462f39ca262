"""Key/value rows of our own: fixed room, written where we say, seen by the rule of ``attention``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gad_lightning.types import Kind, Places


class KeyValueRows:
    """Keys and values of R rows with room for S tokens each, and where those tokens stand.

    Room is written by index, so a ring, a scratch area for branches and a growing answer are the same thing; keys carry
    their rotation, so their order in memory is free. Never built from a model's config: that would evict the prompt of
    models with a sliding window of their own. Hugging Face attention asks a cache for ``update`` only.

    Args:
        rows: R.
        room: S.
        device: where the keys live.
    """

    def __init__(self, rows: int, room: int, device: torch.device | str = "cpu") -> None:
        empty = torch.full((rows, room), -1, dtype=torch.int64, device=device)
        self.places = Places(torch.full_like(empty, int(Kind.PAD)), empty, empty.clone(), empty.clone(), empty.clone())
        self.keys: dict[int, Tensor] = {}
        self.values: dict[int, Tensor] = {}
        self.row = torch.arange(rows, device=device).unsqueeze(1)
        self.at = empty[:, :0]
        self.alone = False

    def admit(self, places: Places, at: Tensor, alone: bool = False) -> None:
        """Announce the tokens of the next forward pass.

        Args:
            places: where they stand.
            at: (R, T) room they are written to.
            alone: whether they see one another by plain causal attention and nothing kept here.
        """
        for kept, new in zip(self.places._asdict().values(), places._asdict().values(), strict=True):
            kept[self.row, at] = new
        self.at = at
        self.alone = alone

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *unused: Any) -> tuple[Tensor, Tensor]:
        """Write one layer's new keys and values, (R, heads, T, width) each, and return all (R, heads, S, width)."""
        for store, new in ((self.keys, key_states), (self.values, value_states)):
            if layer_idx not in store:
                rows, heads, _, width = new.shape
                store[layer_idx] = new.new_zeros(rows, heads, self.places.kind.shape[1], width)
            store[layer_idx][self.row, :, self.at] = new.transpose(1, 2)
        if self.alone:
            return key_states, value_states
        return self.keys[layer_idx], self.values[layer_idx]

    def forget(self, rows: Tensor) -> None:
        """Make room again: nobody sees the tokens of these rows any more."""
        self.places.kind[rows] = int(Kind.PAD)
        self.places.sample[rows] = -1

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Offset of the positions a model counts itself: it does so only for tokens that stand alone."""
        return 0

    def get_query_offset(self, layer_idx: int = 0) -> int:
        """Offset of the queries a model counts itself."""
        return 0

    def get_mask_sizes(self, length: int, layer_idx: int = 0) -> tuple[int, int]:
        """Keys that tokens standing alone see, and their offset."""
        return length, 0

    @property
    def nbytes(self) -> int:
        """Memory of the keys and values."""
        return sum(part.nbytes for store in (self.keys, self.values) for part in store.values())

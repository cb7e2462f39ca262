"""Key/value rows of our own: fixed room, written where we say, seen by the rule of ``attention``."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.types import Kind, Places


class KVCache:
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
        self.every = torch.arange(rows, device=device).unsqueeze(1)
        self.choose(None)
        self.at = empty[:, :0]
        self.alone = False
        self.end: int | None = None
        """Room that the next forward passes look at, if not all: nothing of theirs may lie beyond it."""

    def choose(self, rows: Tensor | None) -> None:
        """Let the next forward passes be about some rows only, (r,) int64 on the CPU; None for all."""
        self.row = self.every if rows is None else rows.unsqueeze(1).to(self.every.device)
        self.rows = slice(None) if rows is None else as_slice(rows) or self.row.squeeze(1)

    def admit(self, places: Places, at: Tensor, alone: bool = False) -> Places:
        """Announce the tokens of the next forward pass.

        Args:
            places: where they stand, one row for each chosen row.
            at: (r, T) room they are written to.
            alone: whether they see one another by plain causal attention and nothing kept here.

        Returns:
            Places of all tokens in the chosen rows, (r, S) each; a row holds one sample, whatever its number was when
            its earlier tokens came.
        """
        for kept, new in zip(self.places._asdict().values(), places._asdict().values(), strict=True):
            kept[self.row, at] = new
        self.at = at
        self.alone = alone
        known = Places(*(part[:, : self.end] for part in self.places))
        known = Places(*(part[self.rows] for part in known))
        return known._replace(sample=places.sample.amax(1, keepdim=True).expand_as(known.kind))

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *unused: object, **more: object
    ) -> tuple[Tensor, Tensor]:
        """Write one layer's new keys and values, (r, heads, T, width) each, and return all (r, heads, S, width).

        Models give what other caches use besides, since transformers 5.24 by name; it is passed over.
        """
        for store, new in ((self.keys, key_states), (self.values, value_states)):
            if layer_idx not in store:
                rows, room = self.places.kind.shape
                store[layer_idx] = new.new_zeros(rows, new.shape[1], room, new.shape[3])
            kept = store[layer_idx]  # under autocast it may be of another number format than what comes
            kept[self.row, :, self.at] = new.transpose(1, 2).to(kept.dtype)
        if self.alone:
            return key_states, value_states
        return self.keys[layer_idx][self.rows, :, : self.end], self.values[layer_idx][self.rows, :, : self.end]

    def forget(self, rows: Tensor, first: int = 0) -> None:
        """Make room again: nobody sees the tokens of these rows any more, from room ``first`` on."""
        if len(rows):
            chosen = as_slice(rows)
            self.places.kind[rows.to(self.every.device) if chosen is None else chosen, first:] = int(Kind.PAD)

    def copy_row(self, source: int, rows: Tensor, room: int) -> None:
        """Copy the first ``room`` tokens of one row to others (a prompt that all of them share)."""
        for part in [*self.places, *self.keys.values(), *self.values.values()]:
            if part.dim() == 2:
                part[rows, :room] = part[source, :room].clone()
            else:
                part[rows, :, :room] = part[source, :, :room].clone()

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


def as_slice(rows: Tensor) -> slice | None:
    """The slice that picks these rows, which copies nothing; None if there is none.

    Args:
        rows: (r,) int64, at least one.

    Example:
        >>> as_slice(torch.tensor([1, 3, 5])), as_slice(torch.tensor([1, 3, 4]))
        (slice(1, 6, 2), None)
    """
    first, steps = int(rows[0]), rows.diff()
    step = int(steps[0]) if len(steps) else 1
    if step < 1 or not bool((steps == step).all()):
        return None
    return slice(first, int(rows[-1]) + 1, step)

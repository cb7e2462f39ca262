"""A prompt that all rows begin with is read once: window mode asks every window the same question."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from gad_lightning.backbones.base import Backbone
from gad_lightning.backbones.cache import KeyValueRows
from gad_lightning.backbones.last_layer import feed_forward_at
from gad_lightning.types import Kind, Places, Tokens


class SamePrompt:
    """Keys and values of a prompt, which stand before those of every row.

    Hugging Face attention asks a cache for ``update`` only, where mask and positions are given.
    """

    def __init__(self) -> None:
        self.kept: dict[int, tuple[Tensor, Tensor]] = {}

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *unused: Any) -> tuple[Tensor, Tensor]:
        """Keep a layer's keys and values, (1, heads, n, width), at first; later put them before those of all rows."""
        if layer_idx not in self.kept:
            self.kept[layer_idx] = key_states, value_states
            return key_states, value_states
        keys, values = (part.expand(len(key_states), -1, -1, -1) for part in self.kept[layer_idx])
        return torch.cat([keys, key_states], 2), torch.cat([values, value_states], 2)


class ReadsPromptOnce(Backbone):
    """A backbone that without gradients reads tokens which all rows begin with, once for all of them."""

    @abstractmethod
    def decode(
        self,
        tokens: Tokens,
        frames: Tensor,
        mask: Any,
        positions: Tensor | None,
        cache: KeyValueRows | SamePrompt | None,
    ) -> Tensor:
        """States after the last norm, (R, T, H), under a mask that is made already."""

    def place(self, tokens: Tokens, packed: bool = False) -> Tokens:
        """Note how many tokens all rows have alike, too; see :meth:`Backbone.place`."""
        placed = super().place(tokens, packed)
        return placed._replace(alike=alike(tokens)) if placed.plain else placed

    def slot_states(
        self, tokens: Tokens, frames: Tensor, cache: KeyValueRows | None = None, at: Tensor | None = None
    ) -> Tensor:
        """States of the slots, (Q, H); see :meth:`Backbone.slot_states`."""
        if not tokens.alike or cache is not None or torch.is_grad_enabled():
            return super().slot_states(tokens, frames, cache, at)
        prompt, rest = cut(tokens)
        same = SamePrompt()
        self.decode(prompt, frames, causal(prompt, 0), prompt.places.position, same)
        with feed_forward_at(self.blocks[-1], rest.slots):
            return rest.at_slots(self.decode(rest, frames, causal(rest, tokens.alike), rest.places.position, same))


def alike(tokens: Tokens) -> int:
    """Number of prompt tokens that all rows begin with; none if there is one row only."""
    if len(tokens.ids) == 1:
        return 0
    same = (tokens.places.kind == Kind.PROMPT).all(0) & (tokens.ids == tokens.ids[:1]).all(0)
    return int(same.cumprod(0).sum())


def cut(tokens: Tokens) -> tuple[Tokens, Tokens]:
    """The tokens that all rows have alike, as one row without slots, and the others with all slots."""
    first, width = tokens.alike, tokens.ids.shape[1]

    def part(rows: slice, columns: slice, slots: Tensor) -> Tokens:
        ids, visual, query, target, *places = (
            whole[rows, columns] for whole in (tokens.ids, tokens.visual, tokens.query, tokens.target, *tokens.places)
        )
        return Tokens(ids, visual, Places(*places), query, target, slots)

    slots = tokens.slots // width * (width - first) + tokens.slots % width - first
    return part(slice(1), slice(first), tokens.slots[:0]), part(slice(None), slice(first, None), slots)


def causal(tokens: Tokens, before: int) -> Tensor:
    """Mask of plain causal attention after ``before`` earlier tokens, which is noted on it: attention is faster so.

    Returns:
        (1, 1, T, before + T) bool.
    """
    size, device = tokens.ids.shape[1], tokens.ids.device
    mask = torch.ones(size, before + size, dtype=torch.bool, device=device).tril(before)[None, None]
    mask.before = before  # type: ignore[attr-defined]  # an attribute of this one tensor
    return mask

"""The rule as a block mask of FlexAttention: for CUDA, whose kernel skips what is hidden."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gad_lightning.backbones.attention import PAD, sees
from gad_lightning.types import IGNORED, Places, Tokens

MULTIPLE = 128
"""Rows are padded to multiples of a block: each new width would compile the kernel again."""


def rule(query: Places, key: Places, window: int) -> Any:
    """The rule as a function of row, head, query and key, as FlexAttention wants it; see ``attention.visible``."""

    def allowed(row: Tensor, head: Tensor, asking: Tensor, asked: Tensor) -> Tensor:
        place = Places(*(part[row, asking] for part in query))
        seen = sees(place, Places(*(part[row, asked] for part in key)), window)
        return seen | ((place.kind == PAD) & (asked == 0))

    return allowed


def flex_mask(places: Places, window: int) -> Any:
    """Block mask of tokens (R, T) that see one another."""
    from torch.nn.attention.flex_attention import create_block_mask

    rows, width = places.kind.shape
    return create_block_mask(rule(places, places, window), rows, None, width, width, device=places.kind.device.type)


def widen(tokens: Tokens) -> Tokens:
    """Pad rows on the right to the next multiple of a block."""
    width = tokens.ids.shape[1]
    more = -width % MULTIPLE

    def padded(part: Tensor, value: int) -> Tensor:
        return torch.nn.functional.pad(part, (0, more), value=value)

    paddings = {"kind": PAD, "position": 0}
    places = Places(**{name: padded(part, paddings.get(name, -1)) for name, part in tokens.places._asdict().items()})
    return tokens._replace(
        ids=padded(tokens.ids, 0),
        visual=padded(tokens.visual, -1),
        places=places,
        query=padded(tokens.query, -1),
        target=padded(tokens.target, IGNORED),
        slots=tokens.slots // width * (width + more) + tokens.slots % width,
    )

"""The rule as a block mask of FlexAttention: for CUDA, whose kernel skips what is hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gad_lightning.backbones.attention import PAD, visible
from gad_lightning.types import IGNORED, Places, Tokens

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

MULTIPLE = 128
"""Rows are padded to multiples of a block: each new width would compile the kernel again."""


def flex_mask(places: Places, window: int) -> BlockMask:
    """Block mask of tokens (R, T) that see one another.

    Blocks that are seen in part look into the dense mask: one byte a pair, where the rule would read ten places.
    """
    from torch.nn.attention.flex_attention import create_block_mask

    seen = visible(places, places, window)

    def allowed(row: Tensor, head: Tensor, asking: Tensor, asked: Tensor) -> Tensor:
        """Look into the dense mask."""
        return seen[row, asking, asked]

    rows, width = places.kind.shape
    return create_block_mask(allowed, rows, None, width, width, device=places.kind.device.type)


def widen(tokens: Tokens) -> Tokens:
    """Pad rows on the right to the next multiple of a block."""
    width = tokens.ids.shape[1]
    more = -width % MULTIPLE

    def padded(part: Tensor, value: int) -> Tensor:
        """Pad a column of tokens on the right."""
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

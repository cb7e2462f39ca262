"""Short samples side by side in one row, so that little padding is computed."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.types import IGNORED, Kind, Places, Tokens

WORTH = 0.9
"""Rows are packed if no more than this share of them is left."""


def pack(tokens: Tokens) -> Tokens:
    """Put samples behind one another where they fit: the longest row stays as wide as it is.

    Nobody sees another sample, so states, slots and losses are those of the rows as they were. Rows stay as they are
    where few would be saved.

    Args:
        tokens: on the CPU, rows padded on the right.
    """
    lengths = (tokens.places.kind != Kind.PAD).sum(1)
    width = tokens.ids.shape[1]
    row, offset = _first_fit(lengths.tolist(), width)
    rows = max(row, default=-1) + 1
    if rows > WORTH * len(lengths):
        return tokens
    new_row, shift = torch.tensor(row), torch.tensor(offset)
    old, column = (torch.arange(width) < lengths.unsqueeze(1)).nonzero(as_tuple=True)
    place = (new_row[old], shift[old] + column)

    def moved(part: Tensor, padding: int) -> Tensor:
        """Put a column of tokens at its new places."""
        result = part.new_full((rows, width), padding)
        result[place] = part[old, column]
        return result

    paddings = {"kind": int(Kind.PAD), "position": 0}
    places = Places(**{name: moved(part, paddings.get(name, -1)) for name, part in tokens.places._asdict().items()})
    slot_row, slot_column = tokens.slots // width, tokens.slots % width
    return tokens._replace(
        ids=moved(tokens.ids, 0),
        visual=moved(tokens.visual, -1),
        places=places,
        query=moved(tokens.query, -1),
        target=moved(tokens.target, IGNORED),
        slots=new_row[slot_row] * width + shift[slot_row] + slot_column,
    )


def _first_fit(lengths: list[int], room: int) -> tuple[list[int], list[int]]:
    """Give each length, longest first, the first row it fits: rows and offsets.

    Example:
        >>> _first_fit([3, 5, 2, 1], 5)
        ([1, 0, 1, 2], [0, 0, 3, 0])
    """
    row, offset, used = [0] * len(lengths), [0] * len(lengths), list[int]()
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        free = next((number for number, taken in enumerate(used) if taken + lengths[index] <= room), len(used))
        used += [0] * (free == len(used))
        row[index], offset[index] = free, used[free]
        used[free] += lengths[index]
    return row, offset

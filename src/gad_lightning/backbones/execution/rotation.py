"""One table of rotary positions for every pass: some models choose theirs by the longest row."""

from __future__ import annotations

import torch
from torch import nn

FIXED = "fixed"
"""A kind of table that Hugging Face models never compute again."""


def fix_rotation(decoder: nn.Module, positions: int, width: int) -> None:
    """Choose the table that rows of ``positions`` tokens have, and keep it for shorter rows too.

    LongRoPE (Phi-3 and later) and dynamic NTK scaling choose anew in each pass, by its longest row: the same frames
    would score otherwise beside a longer sample, in a longer chunk, and live.

    Args:
        decoder: the layers between embedding and head.
        positions: most tokens of a row.
        width: H.
    """
    for module in decoder.modules():
        kinds = vars(module).get("rope_type")
        if kinds is None or not _by_length(kinds):
            continue
        some = next(module.buffers())
        inputs, last = torch.zeros(1, 1, width, device=some.device), torch.tensor([[positions - 1]], device=some.device)
        if isinstance(kinds, str):
            module(inputs, last)
            vars(module)["rope_type"] = FIXED
            continue
        for layer_type in kinds:
            module(inputs, last, layer_type)
        vars(module)["rope_type"] = dict.fromkeys(kinds, FIXED)


def _by_length(kinds: str | dict[str, str]) -> bool:
    """Whether a table depends on the rows."""
    return any(
        kind == "longrope" or "dynamic" in kind for kind in ([kinds] if isinstance(kinds, str) else kinds.values())
    )

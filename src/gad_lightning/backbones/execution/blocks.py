"""Attention on a CPU that skips what the mask hides: branches see a window each, so most of a dense mask is empty."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gad_lightning.backbones.attention import visible
from gad_lightning.types import Places

NAME = "gad_lightning_blocks"
SIZE = 64
"""Queries of a block: 32 to 128 are equally fast on rows of 170 to 2,700 tokens."""


class Block(NamedTuple):
    """Some neighboring queries and all keys that any of them sees."""

    queries: slice
    keys: slice | Tensor  # a slice where they are neighbors, which copies nothing
    seen: Tensor  # (R, 1, queries, keys) bool


def _blocks_of(mask: Tensor) -> list[Block]:
    """Cut a mask (R, 1, Tq, Tk) into blocks of queries; every query must see a key."""
    blocks = []
    for first in range(0, mask.shape[2], SIZE):
        queries = slice(first, first + SIZE)
        part = mask[:, :, queries]
        seen = part.any(2).any(1).any(0).nonzero().squeeze(1)
        start, end = int(seen[0]), int(seen[-1]) + 1
        keys = slice(start, end) if end - start == len(seen) else seen
        blocks.append(Block(queries, keys, part[..., keys].contiguous()))
    return blocks


def dense_mask(query: Places, key: Places, window: int) -> Tensor:
    """Mask (R, 1, Tq, Tk) of the rule; its blocks are noted on it, where they are worth it and can be known.

    Hugging Face models hand a mask to their attention untouched; one without blocks is used as it is.
    """
    mask = visible(query, key, window).unsqueeze(1)
    if mask.device.type == "cpu" and mask.shape[2] > SIZE and not torch.compiler.is_compiling():
        mask.blocks = _blocks_of(mask)  # type: ignore[attr-defined]  # an attribute of this one tensor
    return mask


def _attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, **settings: Any
) -> tuple[Tensor, Any]:
    """Attend as the mask wants: FlexAttention, block by block where it has blocks, else ``sdpa``.

    Args:
        module: the layer.
        query: (R, heads, T, width).
        key: (R, key heads, S, width).
        value: as ``key``.
        attention_mask: a block mask of FlexAttention, (R, 1, T, S) bool, or None.
        **settings: of the layer.

    Returns:
        (R, T, heads, width), and what the attention tells beside it.
    """
    from torch.nn.attention.flex_attention import BlockMask
    from transformers.integrations.flex_attention import flex_attention_forward
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if settings.get("softcap") is not None or settings.get("s_aux") is not None:
        return _attend_in_full(query, key, value, attention_mask, **settings), None
    if isinstance(attention_mask, BlockMask):
        flexed: tuple[Tensor, Any] = flex_attention_forward(module, query, key, value, attention_mask, **settings)
        return flexed
    blocks: list[Block] | None = getattr(attention_mask, "blocks", None)
    heads, length = query.shape[1] // key.shape[1], query.shape[2]
    scale, dropout = settings.get("scaling"), settings.get("dropout", 0.0)
    tracing = torch.compiler.is_compiling()  # a graph is for any length
    if blocks is None and attention_mask is not None and not tracing and heads > 1 and heads * length <= SIZE:
        # a live step: all heads that share keys ask together, so that a long cache is not copied for each of them
        together = query.reshape(query.shape[0], key.shape[1], heads * length, -1)
        seen = attention_mask.repeat(1, 1, heads, 1)
        states = nn.functional.scaled_dot_product_attention(together, key, value, seen, dropout, scale=scale)
        return states.reshape(query.shape).transpose(1, 2).contiguous(), None
    if blocks is None:
        whole: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
        return whole
    attend = partial(  # heads that share keys and values take them uncopied
        nn.functional.scaled_dot_product_attention, dropout_p=dropout, scale=scale, enable_gqa=heads > 1
    )
    parts = [
        attend(query[:, :, queries], key[:, :, keys], value[:, :, keys], seen).transpose(1, 2)
        for queries, keys, seen in blocks
    ]
    return torch.cat(parts, 1), None


def _attend_in_full(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scaling: float,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    dropout: float = 0.0,
    **unused: object,
) -> Tensor:
    """Attend with every score at hand, for models that do more to them than a softmax; see :func:`_attend`.

    Args:
        query: (R, heads, T, width).
        key: (R, key heads, S, width).
        value: as ``key``.
        mask: (R, 1, T, S) bool; None is plain causal attention.
        scaling: factor of the scores.
        softcap: scores become ``softcap * tanh(scores / softcap)`` (Gemma 2).
        s_aux: (heads,) score of a sink that takes attention and gives nothing (GPT-OSS).
        dropout: share of the weights that are dropped.
        **unused: what only other kinds of attention need.

    Returns:
        (R, T, heads, width).
    """
    heads = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(heads, 1), value.repeat_interleave(heads, 1)
    scores = query @ key.transpose(2, 3) * scaling
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    seen = mask if mask is not None else torch.ones_like(scores[:1, :1], dtype=torch.bool).tril()
    scores = scores.float().masked_fill(~seen, -torch.inf)
    if s_aux is not None:
        scores = torch.cat([scores, s_aux.float().view(1, -1, 1, 1).expand(*scores.shape[:3], 1)], -1)
    weights = scores.softmax(-1)[..., : key.shape[2]].to(value)
    return (nn.functional.dropout(weights, dropout) @ value).transpose(1, 2).contiguous()


def register() -> None:
    """Make :func:`_attend` known to Hugging Face models of this process: a pickled one brings its name only."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)

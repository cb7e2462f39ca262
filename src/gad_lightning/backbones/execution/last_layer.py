"""Spares the last layer what nobody reads: its feed-forward part matters at the tokens whose states are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

Output = Tensor | tuple[Tensor, ...]
"""States, or states and what a layer tells beside them."""


@contextmanager
def feed_forward_at(layer: nn.Module, rows: Tensor) -> Iterator[None]:
    """Let a layer's ``mlp`` work at some tokens only, for as long as the block lasts; elsewhere it adds nothing.

    Keys and values come before it: later tokens lose nothing. A layer without a part of that name works as ever.

    Args:
        layer: of a Hugging Face decoder.
        rows: (n,) tokens of (R, T), counted row by row.
    """
    feed_forward = dict(layer.named_children()).get("mlp")
    if feed_forward is None:
        yield
        return
    whole: list[Tensor] = []

    def gather(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Hand on the chosen tokens alone."""
        states, *more = inputs
        whole.append(states)
        return (states.reshape(1, -1, states.shape[-1])[:, rows], *more)

    def scatter(module: nn.Module, inputs: tuple[Tensor, ...], output: Output) -> Output:
        """Put what was made of them back in place, zeros elsewhere."""
        states = whole.pop()
        made, *more = output if isinstance(output, tuple) else (output,)  # some give router scores beside it
        spread = made.new_zeros(states.shape[0] * states.shape[1], states.shape[2])
        spread[rows] = made[0]
        return (spread.view_as(states), *more) if more else spread.view_as(states)

    handles = [feed_forward.register_forward_pre_hook(gather), feed_forward.register_forward_hook(scatter)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()

"""Cross entropy of the language model's head, some rows at a time: a row of logits is as wide as the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gad_lightning.backbones.base import Backbone

LOGITS = {"cpu": 2**22}
"""Logits that are held at once, by kind of device: a CPU asks the system anew for each larger piece of memory."""
ELSEWHERE = 2**26


def head_loss(backbone: Backbone, states: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Sum the cross entropies of next tokens, each with its own weight.

    Gradients are found beside the sum, so logits are gone after their turn. Sum and gradients are those of all rows at
    once, up to rounding.

    Args:
        backbone: writes tokens.
        states: (n, H) of the tokens before the targets.
        target: (n,) int64.
        weight: (n,) float, a constant.

    Returns:
        () float32.

    Source: Hsu et al., Liger Kernel, arXiv 2410.10989, of which this is the order of the arithmetic alone.
    """
    kind = states.device.type
    if not torch.is_grad_enabled():
        return _sum(backbone, states, target, weight, None)[0]
    if torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.float16:
        # gradients vanish in float16 unless the loss is scaled first
        each = cross_entropy(backbone.token_logits(states), target, reduction="none")
        return (each * weight).sum()
    within = {id(own) for block in backbone.blocks for own in block.parameters()}
    trained = [own for own in backbone.parameters() if own.requires_grad and id(own) not in within]
    total: Tensor = _Sum.apply(backbone, target, weight, states, *trained)  # type: ignore[no-untyped-call]  # torch's
    return total


class _Sum(torch.autograd.Function):
    """The sum; its gradients are known when it is."""

    @staticmethod
    def forward(ctx: Any, backbone: Backbone, target: Tensor, weight: Tensor, states: Tensor, *trained: Tensor) -> Any:
        """Compute both."""
        total, slopes = _sum(backbone, states, target, weight, trained)
        ctx.save_for_backward(*slopes)
        return total

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:
        """Scale the gradients."""
        return None, None, None, *(None if own is None else own * slope for own in ctx.saved_tensors)


def _sum(
    backbone: Backbone, states: Tensor, target: Tensor, weight: Tensor, trained: Sequence[Tensor] | None
) -> tuple[Tensor, list[Tensor | None]]:
    """The sum, and its gradients at the states and at ``trained`` weights, None where it has none.

    If ``trained`` is None there are no gradients at all.
    """
    total = torch.zeros((), device=states.device)
    at_states: list[Tensor] = []
    at_trained: list[Tensor | None] = [None for _ in trained or ()]
    size = max(1, LOGITS.get(states.device.type, ELSEWHERE) // backbone.vocabulary.size)
    for part, wanted, share in zip(states.split(size), target.split(size), weight.split(size), strict=True):
        with torch.set_grad_enabled(trained is not None):
            part = part.detach().requires_grad_(trained is not None)
            part = part.view_as(part)  # hooks on the inputs of modules, as torch's FLOP counter has them, want no leaf
            logits = backbone.token_logits(part)
        chances, at = logits.detach().log_softmax(1), (torch.arange(len(part), device=part.device), wanted)
        total -= (chances[at] * share).sum()
        if trained is None:
            continue
        slope = chances.exp_()
        slope[at] -= 1
        slope *= share.unsqueeze(1)
        kind = part.device.type
        cast = torch.is_autocast_enabled(kind)  # some devices have none
        with torch.autocast(kind, enabled=False) if cast else nullcontext():  # as any backward pass
            first, *others = torch.autograd.grad(logits, [part, *trained], slope, allow_unused=True)
        at_states.append(first)
        for number, more in enumerate(others):
            known = at_trained[number]
            at_trained[number] = more if known is None or more is None else known.add_(more)
    return total, [torch.cat(at_states), *at_trained] if trained is not None else []

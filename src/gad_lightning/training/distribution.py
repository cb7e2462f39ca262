"""Several processes: losses averaged as one process would, and the norm of gradients that are spread over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, distributed, nn
from torch.distributed.tensor import DTensor

from gad_lightning.types import Loss


def average(losses: Mapping[str, Loss], processes: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Divide each loss by its count over all processes, in one exchange.

    Args:
        losses: of this process, at least one; a part of the processes may have a count of 0.
        processes: that take part.

    Returns:
        What to minimize here, so that gradients averaged over the processes are those of one process with all of the
        batch; and each loss over all processes by name, their sum as ``loss``, to be logged. What is nan or infinite in
        one process makes the loss nan in all of them, so that none waits for one that stops.

    Example:
        >>> total, logged = average({"a": Loss(torch.tensor(6.0), torch.tensor(3.0))}, processes=1)
        >>> float(total), float(logged["loss"])
        (2.0, 2.0)
    """
    sums = torch.stack([torch.stack([loss.sum.detach().float(), loss.count.float()]) for loss in losses.values()])
    if processes > 1:
        distributed.all_reduce(sums)
    totals, counts = sums[:, 0], sums[:, 1].clamp(min=1e-8)
    parts = [processes * loss.sum / count for loss, count in zip(losses.values(), counts, strict=True)]
    logged = dict(zip(losses, totals / counts, strict=True))
    total = torch.stack(parts).sum()
    elsewhere = (0 * totals.sum()).where(total.isfinite(), 0.0)  # 0, or nan for what is not finite in other processes
    return total + elsewhere, {**logged, "loss": (totals / counts).sum()}


def gradient_norm(weights: Sequence[nn.Parameter]) -> Tensor:
    """Joint 2-norm of all gradients, () float32, where some may be spread over processes; nan if one is.

    Args:
        weights: trained ones; those without a gradient are left alone.
    """
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    spread = [gradient.to_local() for gradient in gradients if isinstance(gradient, DTensor)]
    whole = [gradient for gradient in gradients if not isinstance(gradient, DTensor)]
    device = gradients[0].device if gradients else torch.device("cpu")
    squares = _squared_norm(spread, device)
    if spread:
        distributed.all_reduce(squares)
    return (squares + _squared_norm(whole, device)).sqrt()


def _squared_norm(tensors: Sequence[Tensor], device: torch.device) -> Tensor:
    """Sum of the squares of all elements, () float32."""
    exact = [torch.promote_types(tensor.dtype, torch.float32) for tensor in tensors]  # float64 stays float64
    norms = [torch.linalg.vector_norm(tensor, dtype=dtype) for tensor, dtype in zip(tensors, exact, strict=True)]
    return torch.stack([norm.float().square() for norm in norms]).sum() if norms else torch.zeros((), device=device)

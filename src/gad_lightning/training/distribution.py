"""Several processes: losses averaged as one process would, and a decoder whose blocks are spread over them (FSDP2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.tensor import DTensor

from gad_lightning.errors import SettingError
from gad_lightning.types import Loss


def average(losses: Mapping[str, Loss], processes: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Divide each loss by its count over all processes, in one exchange.

    Args:
        losses: of this process, at least one; a part of the processes may have a count of 0.
        processes: that take part.

    Returns:
        What to minimize here, so that gradients averaged over the processes are those of one process with all of the
        batch; and each loss over all processes by name, their sum as ``loss``, to be logged.

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
    return torch.stack(parts).sum(), {**logged, "loss": (totals / counts).sum()}


def shard(blocks: Iterable[nn.Module], mesh: Any) -> None:
    """Spread the weights of each block over the processes; they are gathered while the block computes.

    Trained and frozen weights of a block are units of their own: they differ in number format, and only the former have
    gradients to be reduced. Blocks that are spread already are left alone.

    Args:
        blocks: decoder layers.
        mesh: one-dimensional device mesh.

    Source: Zhao et al., PyTorch FSDP, VLDB 2023; ``torch.distributed.fsdp.fully_shard``.
    """
    from torch.distributed.fsdp import FSDPModule, fully_shard

    for block in blocks:
        if isinstance(block, FSDPModule):
            continue
        fully_shard(block, mesh=mesh, reshard_after_forward=True)  # left out, what is wrapped first stays whole


def check_sharding(strategy: Any, quantized: bool) -> None:
    """Refuse what a sharding strategy cannot do with trained-only checkpoints of this library.

    Args:
        strategy: ``lightning.pytorch.strategies.ModelParallelStrategy``.
        quantized: whether the backbone is.

    Raises:
        SettingError: naming the setting.
    """
    tensor_parallel = strategy.device_mesh["tensor_parallel"].size()
    if tensor_parallel > 1:
        raise SettingError(
            f"trainer.strategy has a tensor_parallel_size of {tensor_parallel}; blocks are only spread over data.",
            f"set data_parallel_size: {strategy.world_size} and tensor_parallel_size: 1",
        )
    if strategy._save_distributed_checkpoint:
        raise SettingError(
            "trainer.strategy would write checkpoints of many files, which hold the frozen weights too.",
            "set save_distributed_checkpoint: false",
        )
    if quantized:
        raise SettingError(
            "A quantized backbone cannot be spread over processes: its packed weights lose their scales.",
            "leave out backbone.quantization, or use strategy: ddp",
        )


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

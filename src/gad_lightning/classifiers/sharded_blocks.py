"""Lets a classifier be trained with its decoder spread over processes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from lightning import LightningModule
from lightning.pytorch.strategies import ModelParallelStrategy, Strategy
from torch import distributed, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from gad_lightning.backbones.base import Backbone
from gad_lightning.errors import SettingError
from gad_lightning.training.distribution import gradient_norm


class ShardedBlocks(LightningModule):
    """Mixin of the classifiers: ``ModelParallelStrategy`` spreads the decoder's blocks; each process has all else.

    In evaluation each process has the blocks whole too.
    """

    backbone: Backbone

    def configure_model(self) -> None:
        """Spread the blocks, if the strategy is made for that.

        Raises:
            SettingError: if the strategy is set to what cannot work.
        """
        if self.device_mesh is not None:
            _check_sharding(self.trainer.strategy, self.backbone.quantized)
            _shard(self.backbone.blocks, self.device_mesh["data_parallel"])

    def on_validation_start(self) -> None:
        """Hold the blocks whole."""
        _hold_whole(self.backbone.blocks, True)

    def on_validation_end(self) -> None:
        """Spread the blocks again."""
        _hold_whole(self.backbone.blocks, False)

    on_test_start = on_predict_start = on_validation_start
    on_test_end = on_predict_end = on_validation_end

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Average the gradients that such a strategy forgets, before they are clipped."""
        if self.device_mesh is not None:
            _average_gradients([weight for weight in self.parameters() if weight.requires_grad])

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip gradients of which some are spread and others are not, which torch refuses to do together.

        Raises:
            SettingError: if blocks are spread and values are to be clipped.
        """
        if self.device_mesh is None or not gradient_clip_val:
            super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)
            return
        if gradient_clip_algorithm == "value":
            raise SettingError(
                "trainer.gradient_clip_algorithm is 'value', which is not made for a sharding strategy.",
                "set it to norm, or use strategy: ddp",
            )
        _clip_norm([weight for weight in self.parameters() if weight.requires_grad], float(gradient_clip_val))


def _clip_norm(weights: Sequence[nn.Parameter], limit: float) -> None:
    """Scale gradients down so that their joint 2-norm is at most ``limit``, where some are spread and others whole.

    Args:
        weights: trained ones; those without a gradient are left alone.
        limit: above 0.
    """
    scale = float((limit / (gradient_norm(weights) + 1e-6)).clamp(max=1.0))  # as torch's clip_grad_norm_ has it
    for weight in weights:
        if weight.grad is not None:
            (weight.grad.to_local() if isinstance(weight.grad, DTensor) else weight.grad).mul_(scale)


def _hold_whole(blocks: Iterable[nn.Module], whole: bool) -> None:
    """Gather spread blocks and keep them whole, or spread them again; all processes together.

    While blocks are spread all processes must compute them equally often. Evaluation does not: one process has a batch
    more, or writes longer labels.

    Args:
        blocks: decoder layers, spread or not.
        whole: whether they are to be whole.
    """
    from torch.distributed.fsdp import FSDPModule

    for block in blocks:
        if not isinstance(block, FSDPModule):
            continue
        block.set_reshard_after_forward(not whole)
        if whole:
            block.unshard()
        else:
            block.reshard()


def _average_gradients(weights: Sequence[nn.Parameter]) -> None:
    """Average the gradients of weights that every process has whole; those without one count as zeros.

    A sharding strategy reduces the gradients of what it spreads and forgets the rest (connector, heads, new tokens).

    Args:
        weights: trained ones, the same in every process; those that are spread are left alone.
    """
    weights = [weight for weight in weights if not isinstance(weight, DTensor)]
    if not weights:
        return
    for weight in weights:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    joined = torch.cat([weight.grad.float().reshape(-1) for weight in weights if weight.grad is not None])
    distributed.all_reduce(joined)
    joined /= distributed.get_world_size()
    for weight, part in zip(weights, joined.split([weight.numel() for weight in weights]), strict=True):
        assert weight.grad is not None, "made above"
        weight.grad.copy_(part.view_as(weight))


def _shard(blocks: Iterable[nn.Module], mesh: DeviceMesh) -> None:
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


def _check_sharding(strategy: Strategy, quantized: bool) -> None:
    """Refuse what a sharding strategy cannot do with trained-only checkpoints of this library.

    Args:
        strategy: of the trainer; others than ``ModelParallelStrategy`` spread nothing.
        quantized: whether the backbone is.

    Raises:
        SettingError: naming the setting.
    """
    if not isinstance(strategy, ModelParallelStrategy):
        return
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

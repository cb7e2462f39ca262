"""Lets a classifier be trained with its decoder spread over processes."""

from __future__ import annotations

from lightning import LightningModule
from torch.optim import Optimizer

from gad_lightning.backbones.base import Backbone
from gad_lightning.errors import SettingError
from gad_lightning.training.distribution import average_gradients, check_sharding, clip_norm, hold_whole, shard


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
            check_sharding(self.trainer.strategy, self.backbone.quantized)
            shard(self.backbone.blocks, self.device_mesh["data_parallel"])

    def on_validation_start(self) -> None:
        """Hold the blocks whole."""
        hold_whole(self.backbone.blocks, True)

    def on_validation_end(self) -> None:
        """Spread the blocks again."""
        hold_whole(self.backbone.blocks, False)

    on_test_start = on_predict_start = on_validation_start
    on_test_end = on_predict_end = on_validation_end

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Average the gradients that such a strategy forgets, before they are clipped."""
        if self.device_mesh is not None:
            average_gradients([weight for weight in self.parameters() if weight.requires_grad])

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
        clip_norm([weight for weight in self.parameters() if weight.requires_grad], float(gradient_clip_val))

"""Features with zero mean and unit spread, computed before anything is rounded."""

from __future__ import annotations

from typing import TypeVar

import torch
from lightning import LightningModule
from torch import Tensor

from gad_lightning.exact_buffers import ExactBuffers
from gad_lightning.schema import FeatureSpec

Data = TypeVar("Data")


class Standardization(ExactBuffers):
    """Gives features the training split's zero mean and unit spread, in float32 or better.

    The statistics keep that precision when a classifier is cast to half precision: of features with a large offset,
    bfloat16 would leave the offset and nothing else.

    Args:
        features: whose ``mean`` and ``std`` are used; without them features stay as they are.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: FeatureSpec) -> None:
        super().__init__()
        for name in ("mean", "std"):
            self.register_buffer(name, torch.zeros(features.width), persistent=False)
        self.take(features)

    def take(self, features: FeatureSpec) -> None:
        """Standardize by the mean and spread of ``features`` from now on; by 0 and 1 where it has none."""
        for held, given, usual in ((self.mean, features.mean, 0.0), (self.std, features.std, 1.0)):
            held.copy_(torch.tensor((usual,) * features.width if given is None else given))

    @property
    def dtype(self) -> torch.dtype:
        """Precision that features are standardized in."""
        return self.mean.dtype

    def forward(self, frames: Tensor) -> Tensor:
        """Standardize features (..., D), which must not have been rounded."""
        scaled: Tensor = (frames.to(self.dtype) - self.mean) / self.std
        return scaled


class ExactFeatures(LightningModule):
    """Mixin of the classifiers: with ``precision: bf16-true`` and the like, Lightning rounds batches to that precision.

    That would come before features are standardized, and would leave nothing of features with a large offset.
    """

    def setup(self, stage: str) -> None:
        """Take batches as they are for the run that begins."""
        plugin = self.trainer.precision_plugin
        plugin.convert_input = _as_it_is  # type: ignore[method-assign]  # for this run, whichever plugin it has

    def teardown(self, stage: str) -> None:
        """Give the plugin back as it was."""
        vars(self.trainer.precision_plugin).pop("convert_input", None)


def _as_it_is(data: Data) -> Data:
    """Return a batch unchanged."""
    return data

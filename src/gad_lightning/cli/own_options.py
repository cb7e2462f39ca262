"""Options of runs that are neither the model's, the data's nor the trainer's."""

from __future__ import annotations

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningArgumentParser
from typing_extensions import override

from gad_lightning.backbones.weights.light import Weights
from gad_lightning.classifiers.base import Classifier


def add_own_options(parser: LightningArgumentParser) -> None:
    """Add what ``fit`` can begin from, and which checkpoints are taken."""
    parser.add_argument(
        "--init_from",
        type=str | None,
        default=None,
        help="for fit: checkpoint, folder of save_pretrained or hub repository to take LoRA, connector and rows "
        "of classes of the same name from; not used where --ckpt_path resumes a run (default: null)",
    )
    parser.add_argument(
        "--other_settings",
        type=bool,
        default=False,
        help="use a checkpoint's weights with settings that change what they compute (default: false)",
    )


def add_weights(parser: LightningArgumentParser) -> None:
    """Add how weights are held, for commands that train nothing."""
    parser.add_argument(
        "--weights",
        type=Weights | None,
        default=None,
        help="on a CPU: int8 or int4 holds the frozen layers so, once the checkpoint is read (default: null)",
    )


class LightWeights(Callback):
    """Holds the frozen layers in fewer bits once a checkpoint is read.

    Args:
        weights: number format.
    """

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    def _lighten(self, module: LightningModule) -> None:
        if isinstance(module, Classifier) and module.backbone.light is None:
            module.backbone.lighten(self.weights)

    @override
    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._lighten(pl_module)

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._lighten(pl_module)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._lighten(pl_module)

"""Features reach the classifier as the data module gives them, in whatever precision the run computes."""

from __future__ import annotations

from typing import TypeVar

from lightning import LightningModule

Data = TypeVar("Data")


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

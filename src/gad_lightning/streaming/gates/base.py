"""The contract of a gate, and what it goes by."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from gad_lightning.classifiers.base import Classifier
from gad_lightning.errors import SettingError
from gad_lightning.parts import Part

HOUR = 3600


class Glimpse(NamedTuple):
    """What is known of the newest frame of n streams before the upper layers have read it."""

    states: Tensor  # (n, H) slots after the gate's lowest layers
    features: Tensor  # (n, D) mean of the frame's standardized features
    before: Tensor  # (n, D) the same of the last frame that all layers have read
    label: Tensor  # (n,) int64, the label that stands, which is that frame's
    waited: Tensor  # (n,) int64, frames since it, at least 1


class Gate(Part, nn.Module):
    """Says for which frames a live stream's label is found anew; for the others the last one stands.

    Every frame is read by the lowest ``layers``. Where the gate opens, or after ``longest_wait``, the other layers read
    what they have not read yet, in one batch, and the frame gets the very label that it would have had without a gate.

    Args:
        layers: lowest layers of the language model that every frame is read by, at least 0.
        longest_wait: seconds after which a label is found anew at the latest, above 0 and at most an hour; so many
            seconds of frames are kept.

    Raises:
        SettingError: if a setting is out of its range.
    """

    def __init__(self, layers: int = 0, longest_wait: float = 5.0) -> None:
        super().__init__()
        if not (type(layers) is int and layers >= 0):
            raise SettingError(f"layers of {type(self).__name__} is {layers!r}.", "set it to 0 or a few")
        if not (isinstance(longest_wait, int | float) and 0 < longest_wait <= HOUR):
            raise SettingError(
                f"longest_wait is a time in seconds above 0 and at most {HOUR}, got {longest_wait!r}.", "5 is usual"
            )
        self.layers, self.longest_wait = layers, longest_wait

    def frames(self, fps: float) -> int:
        """The longest wait in frames, at least 1: with 1 every frame is read whole."""
        return max(1, int(self.longest_wait * fps + 1e-6))

    def check(self, classifier: Classifier, task: int) -> None:
        """Refuse a classifier that this gate was not made for.

        Args:
            classifier: whose streams it is to gate.
            task: index into its schema's tasks.

        Raises:
            SettingError: if it has too few layers.
        """
        depth = len(classifier.backbone.blocks)
        if self.layers >= depth:
            raise SettingError(
                f"The gate has every frame read by {self.layers} layers, and the language model has {depth}: nothing "
                "would be saved.",
                f"give fewer than {depth} layers, or no gate",
            )

    @abstractmethod
    def forward(self, seen: Glimpse) -> Tensor:
        """Say where to open: (n,) bool."""

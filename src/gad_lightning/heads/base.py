"""The contract of a head."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from gad_lightning.parts import Part, checked_part
from gad_lightning.schema import LabelSet


class ClassifierHead(Part, nn.Module):
    """Maps slot states to class logits; made by a factory ``(hidden_size, labels) -> ClassifierHead``.

    Args:
        hidden_size: H.
        labels: the classes, background and ignored ones included.
    """

    def __init__(self, hidden_size: int, labels: LabelSet) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.labels = labels

    def forward(self, states: Tensor) -> Tensor:
        """Map states (Q, H) to logits (Q, C); Q may be 0."""
        raise NotImplementedError


def make_heads(
    factory: Callable[[int, LabelSet], ClassifierHead], setting: str, hidden_size: int, label_sets: Sequence[LabelSet]
) -> nn.ModuleList:
    """Make one head per label set.

    Args:
        factory: ``(hidden_size, labels) -> ClassifierHead``.
        setting: by which the user gave it, for messages.
        hidden_size: H.
        label_sets: the classes of each head.

    Raises:
        SettingError: if the factory makes something else than a head.
    """
    return nn.ModuleList(checked_part(factory(hidden_size, labels), ClassifierHead, setting) for labels in label_sets)


def first_head(heads: nn.ModuleList) -> ClassifierHead:
    """The head of the first label set; the others are of its class."""
    head = heads[0]
    assert isinstance(head, ClassifierHead), "make_heads made it"
    return head

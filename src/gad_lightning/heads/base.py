"""The contract of a head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from gad_lightning.errors import SettingError
from gad_lightning.parts import Part, check_given
from gad_lightning.schema import LabelSet
from gad_lightning.types import Loss

TextTower = Callable[[Sequence[str], str | None], Tensor]
"""Vectors (n, E) float32 of n texts, by a sentence encoder of that folder or name; by the language model if None."""


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

    def prepare(self, tower: TextTower) -> None:
        """Take what the head needs of texts; called once, while the language model is as it came."""

    def origin(self) -> Tensor | None:
        """State (H,) at which no class has a logit, as nearly as can be; None where that is unknown."""
        return None

    def summary(self) -> str | None:
        """What a run says of the head before it trains; None for nothing."""
        return None

    def row_names(self) -> Mapping[str, Sequence[str]]:
        """What the rows of a weight stand for, by the weight's name; rows of all others stand for classes."""
        return {}

    def extra_losses(self, states: Tensor, label: Tensor, weight: Tensor) -> Mapping[str, Loss]:
        """Losses beside that of the logits, by name; called in every training step, also without queries.

        Args:
            states: (Q, H).
            label: (Q,) int64 class or IGNORED; or (Q, C) multi-hot.
            weight: (Q,) float, of each query.
        """
        return {}

    def forward(self, states: Tensor) -> Tensor:
        """Map states (Q, H) to logits (Q, C); Q may be 0."""
        raise NotImplementedError


def no_logits(weight: Tensor, bias: Tensor) -> Tensor:
    """The state (H,), float64, whose logits by a linear layer, weight (C, H) and bias (C,), are nearest to 0."""
    found: Tensor = -(torch.linalg.pinv(weight.detach().double()) @ bias.detach().double())
    return found


def check_factory(head: object, setting: str) -> None:
    """Refuse what cannot make a head.

    Args:
        head: what was given as the factory.
        setting: what the user calls it.

    Raises:
        SettingError: naming what was given, such as a head that is made already.
    """
    other = isinstance(head, type) and not issubclass(head, ClassifierHead)
    if callable(head) and not isinstance(head, nn.Module) and not other:
        return
    shown = "".join(repr(head).splitlines()[:1])[:80]
    raise SettingError(
        f"{setting} must be a factory (hidden_size, labels) -> ClassifierHead, and is the {type(head).__name__} "
        f"{shown}.",
        "give a class derived from gad_lightning.ClassifierHead, such as LinearHead; with settings, "
        "functools.partial(MLPHead, dropout=0.1)",
    )


def make_heads(
    factory: Callable[[int, LabelSet], nn.Module], hidden_size: int, label_sets: Sequence[LabelSet], setting: str
) -> nn.ModuleList:
    """Make a head for each label set.

    Raises:
        SettingError: if the factory makes no module; ``setting`` is what the user calls it.
    """
    heads = [factory(hidden_size, labels) for labels in label_sets]
    for head in heads:
        check_given(f"What {setting} makes", head, ClassifierHead, nn.Module)
    return nn.ModuleList(heads)


def check_widths(heads: nn.ModuleList, hidden_size: int, label_sets: Sequence[LabelSet], setting: str) -> None:
    """Try each head on one state of zeros; heads without memory (on ``meta``) are passed over.

    Modes and random numbers are afterwards as they were.

    Raises:
        SettingError: if a head gives anything but one logit a class; ``setting`` is what the user calls it.
    """
    for head, labels in zip(heads, label_sets, strict=True):
        weights = list(head.parameters())
        if any(weight.is_meta for weight in weights):
            continue
        training = [module for module in head.modules() if module.training]
        like = next(iter(weights), torch.zeros(0))
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            try:
                found = head.eval()(like.new_zeros(1, hidden_size))
            finally:
                for module in training:
                    module.training = True
        wanted = len(labels.names)
        if not isinstance(found, Tensor) or found.shape != (1, wanted):
            met = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
            raise SettingError(
                f"{setting}, a {type(head).__name__}, makes {met} of a state (1, {hidden_size}); there are {wanted} "
                f"classes, so (1, {wanted}) is wanted.",
                "let its last layer have len(labels.names) outputs, background and ignored classes included",
            )

"""An objective of one's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gad_lightning.backbones.base import Backbone
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.objectives.base import Objective
from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch, Loss, Tokens
from tests.classifiers.making import batch, make, random_frames


class SmallStates(Objective):
    """States of length 1; it states no name."""

    def prepare(self, schema: DataSchema, backbone: Backbone, prefix: str) -> None:
        """Make a layer."""
        self.scale = nn.Linear(backbone.hidden_size, 1)

    def forward(self, batch: Batch, tokens: Tokens, states: Tensor, backbone: Backbone) -> Loss:
        """Squares."""
        each = (self.scale(tokens.at_slots(states)) ** 2).squeeze(1)
        return Loss(each.sum(), each.new_tensor(float(len(each))))


def test_its_loss_is_weighted_logged_and_trained() -> None:
    once, twice = (make(DiscriminativeClassifier, objectives=[SmallStates(weight)]) for weight in (1.0, 2.0))
    asked = batch(random_frames(2, 8), [[1, 4], [7]], torch.tensor([1, 2, 3]))
    losses, double = once.losses(asked), twice.losses(asked)
    assert list(losses) == ["classification", "objective"]
    assert torch.allclose(double["objective"].sum, 2 * losses["objective"].sum)
    losses["objective"].sum.backward()
    assert once.objectives[0].scale.weight.grad.abs().sum() > 0
    assert once.longest_branch == make(DiscriminativeClassifier).longest_branch


def test_an_objective_without_a_loss_cannot_be_made() -> None:
    with pytest.raises(TypeError, match=r"abstract method '?forward"):
        Objective()  # type: ignore[abstract]  # what is tested

"""The discriminative classifier, and what it shares with GAD at test."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gad_lightning.classifiers.ablations.orders import WriteParallel
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from gad_lightning.heads.base import ClassifierHead
from gad_lightning.heads.linear import LinearHead
from gad_lightning.objectives.previous_action_head import PreviousActionHead
from gad_lightning.objectives.write_answer import WriteAnswer
from gad_lightning.schema import LabelSet
from tests.classifiers.making import NAMES, batch, make, random_frames


def test_background_weight_acts_on_background_queries_only() -> None:
    frames, labels = random_frames(1, 8), torch.tensor([0, 2])
    full = make(DiscriminativeClassifier).losses(batch(frames, [[1, 7]], labels))["classification"]
    none = make(DiscriminativeClassifier, background_weight=0.0).losses(batch(frames, [[1, 7]], labels))
    alone = make(DiscriminativeClassifier).losses(batch(frames, [[7]], labels[1:]))["classification"]
    assert torch.allclose(none["classification"].sum, alone.sum, rtol=1e-4)
    assert full.count == none["classification"].count == 2


def test_head_factory_gets_hidden_size_and_labels() -> None:
    made: list[tuple[int, int]] = []

    def factory(hidden_size: int, labels: Any) -> LinearHead:
        made.append((hidden_size, len(labels.names)))
        return LinearHead(hidden_size, labels)

    make(DiscriminativeClassifier, head=factory)
    assert made == [(32, len(NAMES))]


class TooWide(ClassifierHead):
    """Has a logit more than there are classes."""

    def __init__(self, hidden_size: int, labels: LabelSet) -> None:
        super().__init__(hidden_size, labels)
        self.rows = nn.Linear(hidden_size, len(labels.names) + 1)

    def forward(self, states: Tensor) -> Tensor:
        logits: Tensor = self.rows(states)
        return logits


def test_a_head_of_another_width_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(
        SettingError, match=r"model.head, a TooWide, makes shape \(1, 6\) .*; there are 5 .*\n.*len\(labels.names\)"
    ):
        make(DiscriminativeClassifier, head=TooWide)
    with pytest.raises(
        SettingError, match=r"PreviousActionHead.head, a TooWide, makes shape \(1, 7\) .* are 6 classes"
    ):
        make(DiscriminativeClassifier, objectives=[PreviousActionHead(head=TooWide)])


class Untouchable(nn.Module):
    """A language-model head that must not be computed."""

    weight = torch.zeros(1)

    def forward(self, states: Tensor) -> Tensor:
        """Fail."""
        raise AssertionError("the language model's head was computed at test")


@pytest.mark.parametrize("kind", [DiscriminativeClassifier, GADClassifier])
def test_prediction_touches_neither_the_language_head_nor_answer_embeddings(kind: type[Classifier]) -> None:
    classifier = make(kind)
    seen: list[Tensor] = []
    embedding = classifier.backbone.causal_lm.get_input_embeddings()
    embedding.register_forward_pre_hook(lambda _, ids: seen.append(ids[0]))
    classifier.backbone.causal_lm.set_output_embeddings(Untouchable())
    classifier.predict_step(batch(random_frames(2, 8), [[1, 4, 7], [0, 2, 6]]), 0)
    answer_ids = {token for name in NAMES for token in classifier.backbone.vocabulary.encode(f" {name}")}
    assert not answer_ids & set(torch.cat([ids.flatten() for ids in seen]).tolist())


def test_two_objectives_that_write_are_refused_by_name() -> None:
    with pytest.raises(SettingError, match=r"2 objectives want to write an answer \(WriteAnswer, WriteParallel\)"):
        make(DiscriminativeClassifier, objectives=[WriteAnswer(), WriteParallel()])


def test_an_objective_that_is_none_is_not_passed_over() -> None:
    with pytest.raises(SettingError, match=r"objectives\[0\] must be an instance of Objective, and is the Linear"):
        make(DiscriminativeClassifier, objectives=[nn.Linear(2, 2)])

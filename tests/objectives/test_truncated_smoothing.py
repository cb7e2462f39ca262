"""Scores of neighboring frames that differ cost something, up to a limit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from gad_lightning.objectives.base import Objective
from gad_lightning.objectives.truncated_smoothing import TruncatedSmoothing, neighbors
from gad_lightning.types import Loss
from tests.classifiers.making import batch, make, random_frames, schema

ONE_PASS = schema(mode="one_pass", short=4, chunk=8)


def smoothing(scores: Tensor, asked: list[list[int]]) -> Loss:
    """The loss of scores (Q, C)."""
    return TruncatedSmoothing(most=2.0).of_scores(batch(random_frames(len(asked), 8), asked), scores)


def test_each_frame_is_compared_with_the_one_before_and_large_differences_count_as_the_limit() -> None:
    scores = torch.tensor([[0.0, -1.0], [-1.0, -1.5], [-9.0, -1.5], [-9.0, -1.5]])
    loss = smoothing(scores, [[1, 2, 3, 4]])
    assert float(loss.count) == 3
    assert float(loss.sum) == pytest.approx((1.0 + 0.25) / 2 + (4.0 + 0.0) / 2 + 0.0)


def test_only_frames_in_a_row_of_one_sample_that_are_asked_the_same_are_neighbors() -> None:
    given = batch(random_frames(2, 8), [[0, 1, 3, 4], [2, 3]])
    before, after = neighbors(given)
    assert list(zip(before.tolist(), after.tolist(), strict=True)) == [(0, 1), (2, 3), (4, 5)]
    mixed = given._replace(task=torch.tensor([0, 1, 0, 0, 0, 0]), horizon=torch.tensor([0, 0, 0, 0, 0, 1]))
    assert [rows.tolist() for rows in neighbors(mixed)] == [[2], [3]]
    order = torch.tensor([5, 3, 1, 0, 2, 4])
    shuffled = given._replace(sample=given.sample[order], frame=given.frame[order])
    pairs = {(int(order[one]), int(order[other])) for one, other in zip(*neighbors(shuffled), strict=True)}
    assert pairs == {(0, 1), (2, 3), (4, 5)}


def test_the_frame_before_is_a_constant_and_classes_of_other_tasks_do_not_count() -> None:
    scores = torch.tensor([[0.0, -1.0, -torch.inf], [-1.0, -1.5, -torch.inf]], requires_grad=True)
    loss = smoothing(scores, [[0, 1]])
    assert float(loss.sum.detach()) == pytest.approx((1.0 + 0.25) / 2)
    loss.sum.backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == [[0.0, 0.0, 0.0], [-1.0, -0.5, 0.0]]


def test_without_neighbors_it_is_nothing() -> None:
    loss = smoothing(torch.zeros(2, 3), [[1], [5]])
    assert (float(loss.sum), float(loss.count)) == (0.0, 0.0)


@pytest.mark.parametrize("kind", [DiscriminativeClassifier, GADClassifier])
def test_a_classifier_has_it_among_its_losses_by_one_line(kind: type[Classifier]) -> None:
    objectives: list[Objective] = [TruncatedSmoothing(weight=0.5)]
    classifier = make(kind, schema=ONE_PASS, objectives=objectives).eval()
    asked = batch(random_frames(1, 6), [[0, 1, 2, 3, 4, 5]])
    losses = classifier.losses(asked)
    change = classifier.scores(asked).scores.diff(dim=0).clamp(-4, 4).square().mean(1)
    assert float(losses["smoothing"].sum) == pytest.approx(0.5 * float(change.sum()), rel=1e-4)
    assert float(losses["smoothing"].count) == 5
    losses["smoothing"].sum.backward()
    assert classifier.backbone.new_tokens.input.grad is not None


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(SettingError, match=r"window mode each query is a sample of its own(.|\n)*data\.mode"):
        make(DiscriminativeClassifier, objectives=[TruncatedSmoothing()])
    with pytest.raises(SettingError, match="most of TruncatedSmoothing must be above 0, got 0"):
        TruncatedSmoothing(most=0)

"""The previous action as an auxiliary head: what it is told, where it reads, and that it stays out of prediction."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from gad_lightning.heads.mlp import MLPHead
from gad_lightning.objectives.previous_action_head import PreviousActionHead
from gad_lightning.prompts.contexts.goal import GoalContext
from gad_lightning.prompts.contexts.next import NextActions
from gad_lightning.schema import DataSchema, LabelSet, Task
from gad_lightning.types import IGNORED, Batch
from tests.classifiers.making import NAMES, batch, make, random_frames, schema

NONE = len(NAMES)


def disc(*heads: PreviousActionHead, **more: Any) -> Any:
    """A discriminative classifier with auxiliary heads."""
    return make(DiscriminativeClassifier, objectives=list(heads), **more)


def asked() -> Batch:
    """Class 1 lasts from frame 0 to 2, class 3 from 2 to 4; asked at 1, 3 and 7 of each of two videos."""
    return batch(random_frames(2, 8), [[1, 3, 7]] * 2, torch.tensor([1, 3, 0, IGNORED, 3, 0]))


def test_it_is_told_the_last_action_that_is_over_and_when_there_is_none() -> None:
    before, after = PreviousActionHead(), PreviousActionHead(context=NextActions())
    disc(before, after)
    assert before.targets(asked()).tolist() == [NONE, 1, 3, IGNORED, 1, 3]
    assert after.targets(asked()).tolist() == [3, NONE, NONE, IGNORED, NONE, NONE]


@pytest.mark.parametrize("own_slot", [False, True], ids=["prev disc", "disc+"])
def test_it_learns_and_leaves_prediction_alone(own_slot: bool) -> None:
    head = PreviousActionHead(own_slot)
    classifier = disc(head)
    plain = make(DiscriminativeClassifier)
    plain.load_state_dict(
        {
            name: weight[:1] if "new_tokens.input" in name else weight
            for name, weight in classifier.state_dict().items()
            if not name.startswith("objectives")
        }
    )
    frames = random_frames(2, 8)
    assert torch.allclose(classifier.eval()(frames), plain.eval()(frames), atol=1e-6)
    losses, alone = classifier.losses(asked()), plain.losses(asked())
    assert torch.allclose(losses["classification"].sum, alone["classification"].sum, rtol=1e-4)
    assert losses["previous_action"].count == 5
    losses["previous_action"].sum.backward()
    assert head.heads[0].project.weight.grad.abs().sum() > 0
    reached = classifier.backbone.new_tokens.input.grad.abs().sum(1) > 0
    assert reached.tolist() == ([False, True] if own_slot else [True])


def test_two_heads_have_a_loss_each() -> None:
    classifier = disc(PreviousActionHead(), PreviousActionHead(own_slot=True, weight=0.0))
    losses = classifier.losses(asked())
    assert set(losses) == {"classification", "previous_action", "previous_action_2"}
    assert losses["previous_action_2"].sum == 0


def test_it_stands_beside_written_answers() -> None:
    classifier = make(GADClassifier, objectives=[PreviousActionHead(own_slot=True)])
    alone = make(GADClassifier)
    with torch.no_grad():
        alone.backbone.new_tokens.input.copy_(classifier.backbone.new_tokens.input[:1])
        mine = dict(classifier.named_parameters())
        for name, weight in alone.named_parameters():
            if "new_tokens" not in name:
                weight.copy_(mine[name])
    losses, expected = classifier.losses(asked()), alone.losses(asked())
    assert torch.allclose(losses["generation"].sum, expected["generation"].sum, rtol=1e-4)
    assert losses["generation"].count == expected["generation"].count


def test_tasks_of_other_classes_have_heads_of_their_own() -> None:
    tasks = (Task("action", LabelSet(NAMES, 0)), Task("goal", LabelSet(("tea", "coffee"), None), per_frame=False))
    head = PreviousActionHead()
    classifier = disc(head, schema=DataSchema(tasks, ("tea",), schema().features, schema().windows))
    assert [part.project.out_features for part in head.heads] == [NONE + 1, 3]
    given = asked()._replace(task=torch.tensor([0, 0, 0, 1, 1, 1]), label=torch.tensor([1, 3, 0, 1, 1, 1]))
    given = given._replace(segments=torch.tensor([[[1, 0, 2], [0, 2, 4]]]).expand(2, -1, -1))
    assert classifier.losses(given)["previous_action"].count == 6


@pytest.mark.parametrize("own_slot", [False, True])
def test_a_checkpoint_has_its_weights_and_settings(own_slot: bool) -> None:
    classifier = disc(PreviousActionHead(own_slot, NextActions(), MLPHead, 0.25))
    checkpoint: dict[str, Any] = {}
    classifier.on_save_checkpoint(checkpoint)
    again: Any = Classifier.made_again(checkpoint, "here", "cpu", ("gad_lightning",))
    head = again.objectives[0]
    assert (head.own_slot, type(head.context), type(head.heads[0]), head.weight) == (
        own_slot,
        NextActions,
        MLPHead,
        0.25,
    )
    for name, weight in classifier.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name


def test_a_goal_is_no_class() -> None:
    classifier = disc(PreviousActionHead(context=GoalContext()))
    with pytest.raises(SettingError, match="A head names a class, and GoalContext tells 'tea'"):
        classifier.losses(asked())

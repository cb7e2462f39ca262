"""The metrics of a validation, task by task."""

from __future__ import annotations

import torch

from gad_lightning.classifiers.evaluation import Evaluation
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from gad_lightning.types import Predictions

ACTIONS, GOALS = LabelSet(("background", "stir"), 0), LabelSet(("tea", "soup", "cake"))


def predictions(task: list[int], said: list[int], target: list[int]) -> Predictions:
    """Queries of one video, at one frame after the other."""
    place = torch.arange(len(task))
    scores = torch.nn.functional.one_hot(torch.tensor(said), 3).float().log()
    return Predictions(
        torch.zeros_like(place), place, torch.tensor(task), place, torch.tensor(target), scores, scores, scores
    )


def test_one_task_has_plain_names_and_several_have_theirs_in_front() -> None:
    one = Evaluation(DataSchema((Task("action", ACTIONS),), features=FeatureSpec(fps=4.0)))
    one.update(predictions([0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 0, 0]))
    values = one.compute()
    assert values["top1"] == 0.75
    assert values["segment_f1"] == 1.0
    both = Evaluation(DataSchema((Task("action", ACTIONS), Task("goal", GOALS, per_frame=False))))
    both.update(predictions([0, 0, 1], [0, 1, 2], [0, 1, 1]))
    values = both.compute()
    assert values["action_top1"] == 1.0
    assert values["goal_top1"] == 0.0
    assert "goal_segment_f1" not in values


def test_what_was_broken_off_is_forgotten() -> None:
    evaluation = Evaluation(DataSchema((Task("action", ACTIONS),)))
    evaluation.update(predictions([0, 0], [1, 1], [0, 0]))
    evaluation.reset()
    evaluation.update(predictions([0, 0], [0, 1], [0, 1]))
    assert evaluation.compute()["top1"] == 1.0

"""A rejection score with its threshold."""

from __future__ import annotations

import torch

from gad_lightning.classifiers.open_world.rejector import Rejector
from gad_lightning.rejection.max_logit import MaxLogitScore
from gad_lightning.schema import DataSchema, LabelSet, Task
from gad_lightning.types import Predictions

SCHEMA = DataSchema(
    (Task("verb", LabelSet(("rest", "stir"), 0)), Task("noun", LabelSet(("none", "pot", "pan", "blur"), 0, 3)))
)


def predictions(task: list[int], logits: list[list[float]]) -> Predictions:
    """Of some queries."""
    asked, rows = torch.tensor(task), torch.tensor(logits, dtype=torch.float32)
    return Predictions(asked, asked, asked, asked, asked, rows.log_softmax(1), rows, torch.zeros(len(task), 3))


def test_other_tasks_background_and_ignored_classes_are_never_unknown() -> None:
    rejector = Rejector(MaxLogitScore(), task=1)
    rejector.threshold.fill_(-5.0)
    found = rejector(
        predictions([0, 1, 1, 1, 1], [[0, 1, -9, -9], [0, 1, 0, 0], [2, 1, 0, 0], [0, 1, 0, 2], [0, 6, 0, 0]]), SCHEMA
    )
    assert found.tolist() == [-torch.inf, 4.0, -torch.inf, -torch.inf, -1.0]


def test_logits_beyond_the_classes_of_a_task_do_not_count() -> None:
    rejector = Rejector(MaxLogitScore(), task=0)
    assert rejector.scored(torch.zeros(1, 3), torch.tensor([[0.0, 1.0, 7.0]]), SCHEMA.tasks[0].labels).tolist() == [-1]


def test_the_score_knows_of_the_background_only_where_that_can_be_unknown() -> None:
    logits, noun = torch.tensor([[9.0, 1.0, 2.0, 8.0]]), SCHEMA.tasks[1].labels
    assert Rejector(MaxLogitScore(), 1).scored(torch.zeros(1, 3), logits, noun).tolist() == [-2]
    assert Rejector(MaxLogitScore(), 1, over_background=True).scored(torch.zeros(1, 3), logits, noun).tolist() == [-9]
    alone = LabelSet(("none",), 0)
    assert Rejector(MaxLogitScore()).scored(torch.zeros(1, 3), logits[:, :1], alone).tolist() == [-9]


def test_one_of_an_earlier_checkpoint_knows_of_all_classes() -> None:
    about = Rejector(MaxLogitScore()).about()
    assert Rejector.made_again(about, ("gad_lightning",)).actions_only
    del about["actions_only"]
    assert not Rejector.made_again(about, ("gad_lightning",)).actions_only


def test_unknown_is_a_last_class_of_that_task_alone() -> None:
    shown = Rejector(MaxLogitScore(), task=1).shown(SCHEMA)
    assert [task.labels.names for task in shown.tasks] == [
        ("rest", "stir"),
        ("none", "pot", "pan", "blur", "unknown"),
    ]


def test_it_is_made_again_from_plain_data() -> None:
    again = Rejector.made_again(Rejector(MaxLogitScore(), 1, True).about(), ("gad_lightning",))
    assert (type(again.score), again.task, again.over_background) == (MaxLogitScore, 1, True)

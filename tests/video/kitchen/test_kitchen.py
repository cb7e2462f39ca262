"""Scripts of the kitchen: what looks alike is told apart by the goal and by what was done before."""

from __future__ import annotations

from collections import defaultdict

import pytest

from gad_lightning.video.kitchen.kitchen import KITCHEN_CLASSES, KITCHEN_GOALS, look_of, write_scripts


def test_there_are_at_least_24_classes_that_share_their_words() -> None:
    verbs, things = zip(*(name.split() for name in KITCHEN_CLASSES[1:]), strict=True)
    assert KITCHEN_CLASSES[0] == "background"
    assert len(KITCHEN_CLASSES) - 1 >= 24
    assert len(KITCHEN_GOALS) >= 6
    assert len(set(verbs)) <= 6
    assert len(set(things)) < len(things)


def test_goal_and_previous_action_tell_apart_what_looks_alike() -> None:
    by_look: dict[object, set[str]] = defaultdict(set)
    by_history: dict[object, set[str]] = defaultdict(set)
    for script in write_scripts(300, seed=0, fps=8):
        before = "nothing"
        for step in script.steps:
            by_look[look_of(step.name)].add(step.name)
            by_history[script.goal, before, look_of(step.name)].add(step.name)
            before = step.name
    alike = {name for names in by_look.values() if len(names) > 1 for name in names}
    assert len(alike) > 15
    assert {name for names in by_look.values() for name in names} == set(KITCHEN_CLASSES[1:])
    assert all(len(names) == 1 for names in by_history.values())


@pytest.mark.parametrize("num_videos", [4, 7, 20, 60])
def test_no_cook_is_in_both_splits_and_training_has_two(num_videos: int) -> None:
    cooks = defaultdict(set)
    for script in write_scripts(num_videos, seed=0, fps=8):
        cooks[script.split].add(script.cook)
    assert not cooks["train"] & cooks["test"]
    assert len(cooks["train"]) >= 2

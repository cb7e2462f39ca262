"""Answers as token ids, checked by hand."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.errors import SettingError
from gad_lightning.prompts.answers import Answer, stack
from gad_lightning.types import IGNORED
from tests.classifiers.making import batch, random_frames
from tests.prompts.letters import writer


def test_answers_are_closed_and_name_what_came_before() -> None:
    asked = batch(random_frames(1, 8), [[3, 5, 7]], torch.tensor([1, IGNORED, 2]))
    asked = asked._replace(segments=torch.tensor([[[1, 0, 2], [2, 2, 4], [-1, -1, -1]]]))
    answers = writer().answers(asked, torch.tensor([True, True, False]))
    assert [answer.ids for answer in answers] == [[0, 1, 0, 1, 31], [], []]


def test_the_fixed_prefix_is_no_target() -> None:
    ids, target = stack([writer(prefix="p").write([2], 0), Answer([])])
    assert ids.tolist() == [[15, 1, 31], [-1, -1, -1]]
    assert target.tolist() == [[False, True, True], [False, False, False]]


def test_classes_written_alike_are_refused() -> None:
    with pytest.raises(SettingError, match="'ab' and 'a-b' are written with the same tokens"):
        writer(names=("background", "ab", "a-b"))


def test_a_class_that_no_token_can_write_is_named() -> None:
    with pytest.raises(SettingError, match="'42' is written with no token"):
        writer(names=("background", "42"))


@pytest.mark.parametrize("part", [-1, 3])
def test_a_class_of_a_context_that_there_is_not_is_named(part: int) -> None:
    with pytest.raises(SettingError, match=rf"PreviousActions\.context gave the class {part}: there are 0 to 2"):
        writer().write([1, part], 0, own=1)


def test_the_longest_answer_is_what_label_and_context_can_be() -> None:
    answers = writer(prefix="pq", names=("background", "ab", "b"))  # the comma has no letter
    assert (answers.longest_label, answers.longest_goal) == (10, 3)
    assert answers.longest == 2 + 10 + 10 + 1

"""Where tokens stand, checked by hand on a vocabulary of letters."""

from __future__ import annotations

import torch

from gad_lightning.prompts.answers import Answer, stack
from gad_lightning.prompts.layout import Branches
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.types import IGNORED, Kind
from tests.prompts.letters import Words26, render, schema

P, F, BRANCH = int(Kind.PROMPT), int(Kind.FRAME), int(Kind.BRANCH)


def test_branches_follow_the_trunk_in_memory_and_their_anchor_in_position() -> None:
    tokens = render("<cls>", [0, 2])
    assert tokens.ids.tolist() == [[30, 16, 0, 0, 0, 32, 32]]
    assert tokens.visual.tolist() == [[-1, -1, 0, 1, 2, -1, -1]]
    assert tokens.places.kind.tolist() == [[P, P, F, F, F, BRANCH, BRANCH]]
    assert tokens.places.position.tolist() == [[0, 1, 2, 3, 4, 3, 5]]
    assert tokens.places.frame.tolist() == [[-1, -1, 0, 1, 2, 0, 2]]
    assert tokens.places.branch.tolist() == [[-1, -1, -1, -1, -1, 0, 1]]
    assert tokens.slots.tolist() == [5, 6]
    assert (tokens.target == IGNORED).all()


def test_separators_stand_before_every_frame_but_the_first() -> None:
    tokens = render("<cls>", [2], separator="s", tokens_per_frame=2)
    assert tokens.ids.tolist() == [[30, 16, 0, 0, 18, 0, 0, 18, 0, 0, 32]]
    assert tokens.visual.tolist() == [[-1, -1, 0, 1, -1, 2, 3, -1, 4, 5, -1]]
    assert tokens.places.frame.tolist() == [[-1, -1, 0, 0, 1, 1, 1, 2, 2, 2, 2]]


def test_targets_are_the_next_tokens_of_the_answer_whose_last_is_written_but_not_read() -> None:
    tokens = render("<cls>", [1], [[7, 8, 31]])
    assert tokens.ids[0, 5:].tolist() == [32, 7, 8]
    assert tokens.target[0, 5:].tolist() == [7, 8, 31]
    assert tokens.slots.tolist() == [5]


def test_texts_beside_come_after_the_slots_and_are_of_the_same_queries() -> None:
    prompt, zero = Prompt(question="q"), torch.zeros(1, dtype=torch.int64)
    prompt.prepare(schema(), Words26(), "<cls>")
    sample, anchor = torch.tensor([0, 0]), torch.tensor([0, 2])
    beside = stack([Answer([7, 31]), Answer([])])
    tokens = prompt.lay_out(zero + 3, 3, zero, prompt.branches(sample, anchor, stack([Answer([8, 31])] * 2), [beside]))
    assert tokens.ids[0, 5:].tolist() == [32, 8, 32, 8, 7]
    assert tokens.query[0, 5:].tolist() == [0, 0, 1, 1, 0]
    assert tokens.places.branch[0, 5:].tolist() == [0, 0, 1, 1, 2]
    assert tokens.target[0, 2].item() == 7  # written after the first frame, without an opener
    assert tokens.slots.tolist() == [5, 7]


def test_a_slot_at_the_end_of_a_written_text_is_read() -> None:
    ids = torch.tensor([[5, 6, 7]])
    target, zero = torch.tensor([[False, True, True]]), torch.zeros(1, dtype=torch.int64)
    assert Branches(ids, target, zero, zero, zero, slot=zero).read.tolist() == [[True, True, False]]
    assert Branches(ids, target, zero, zero, zero, slot=zero + 2).read.tolist() == [[True, True, True]]

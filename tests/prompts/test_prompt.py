"""What the prompt says, and what it supervises."""

from __future__ import annotations

import torch

from gad_lightning.prompts.layout import Text
from gad_lightning.prompts.prompt import Prompt
from tests.prompts.letters import Words26, render, schema


def test_published_supervision_includes_fixed_text_from_the_last_frame_on() -> None:
    tokens = render("xy", [2], [[7, 31]], supervise_prefix=True)
    assert tokens.ids[0, 4:].tolist() == [0, 23, 24, 7]
    assert tokens.target[0, 4:].tolist() == [23, 24, 7, 31]


def test_an_empty_opener_reads_the_last_visual_token() -> None:
    tokens = render("", [0, 2])
    assert tokens.slots.tolist() == [2, 4]
    assert tokens.ids.shape == (1, 5)


def test_a_later_step_lays_out_only_what_is_new() -> None:
    whole, step = render("<cls>", [2], separator="s"), render("<cls>", [2], separator="s", begin=2)
    assert torch.equal(step.places.position, whole.places.position[:, -3:])
    assert step.ids.tolist() == [[18, 0, 32]]
    assert step.visual.tolist() == [[-1, 0, -1]]


def test_supervision_ends_with_the_answer() -> None:
    prompt = Prompt(question="q", supervise_prefix=True)
    prompt.prepare(schema(), Words26(), "x")
    text = Text(torch.tensor([[7, 8, 9, -1]]), torch.tensor([[False, True, False, False]]))
    zero = torch.zeros(1, dtype=torch.int64)
    assert prompt.branches(zero, zero, text).supervised.tolist() == [[True, True, True, False, False]]

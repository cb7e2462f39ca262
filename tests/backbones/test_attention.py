"""The rule of who sees whom, token by token."""

from __future__ import annotations

import torch

from gad_lightning.backbones.attention import BRANCH, FRAME, PAD, PROMPT, is_plain, visible
from gad_lightning.types import Places


def places(*tokens: tuple[int, int, int, int], sample: int = 0) -> Places:
    """One row of (kind, frame, branch, position)."""
    kind, frame, branch, position = torch.tensor(tokens).T.unsqueeze(1)
    return Places(kind, torch.full_like(kind, sample).where(kind != PAD, -1), frame, branch, position)


ROW = places(
    (PROMPT, -1, -1, 0),
    (FRAME, 0, -1, 1),
    (FRAME, 1, -1, 2),
    (FRAME, 2, -1, 3),
    (BRANCH, 1, 0, 3),
    (BRANCH, 2, 1, 4),
    (BRANCH, 2, 1, 5),
    (PAD, -1, -1, 0),
)


def seen_by(column: int, window: int) -> list[int]:
    """Columns of the row that the token at ``column`` sees."""
    seen: list[int] = visible(ROW, ROW, window)[0, column].nonzero().flatten().tolist()
    return seen


def test_the_trunk_sees_the_prompt_and_its_window_and_no_branch() -> None:
    assert [seen_by(column, 2) for column in range(4)] == [[0], [0, 1], [0, 1, 2], [0, 2, 3]]


def test_a_branch_sees_the_window_of_its_anchor_and_itself_and_nothing_after_it() -> None:
    assert seen_by(4, 2) == [0, 1, 2, 4]
    assert seen_by(5, 2) == [0, 2, 3, 5]
    assert seen_by(6, 2) == [0, 2, 3, 5, 6]


def test_padding_is_given_the_first_key_and_is_seen_by_nobody() -> None:
    assert seen_by(7, 2) == [0]
    assert not visible(ROW, ROW, 9)[0, :7, 7].any()


def test_no_sample_sees_another() -> None:
    assert not visible(ROW, places((PROMPT, -1, -1, 0), sample=1), 9)[0, :7].any()


def test_a_trunk_with_one_branch_at_its_end_is_plain_and_several_branches_are_not() -> None:
    one = places((PROMPT, -1, -1, 0), (FRAME, 0, -1, 1), (FRAME, 1, -1, 2), (BRANCH, 1, 0, 3), (PAD, -1, -1, 0))
    assert is_plain(one, 2)
    assert torch.equal(visible(one, one, 2)[0, :4, :4], torch.ones(4, 4).tril().bool())
    assert not is_plain(one, 1)
    assert not is_plain(ROW, 9)

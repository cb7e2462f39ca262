"""Similar moments: a plain loop, ties, the query's own video, and settings that cannot work."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.errors import SettingError
from gad_lightning.prompts.neighbors import NeighborTexts

WIDTH = 6


def made(moments: int = 40, most: int = 64, count: int = 3) -> NeighborTexts:
    """Random moments of four videos, whose class is their number."""
    texts = NeighborTexts(count=count, frames=2, most=most)
    texts.prepare(WIDTH, short_memory=4, short_stride=1)
    keys = torch.randn(moments, WIDTH, generator=torch.Generator().manual_seed(0))
    texts.take(keys, torch.arange(moments), [f"video {number % 4}" for number in range(moments)])
    return texts


def asked(count: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    """Two frames of each query; of the first query only one is there."""
    there = torch.ones(count, 2, dtype=torch.bool)
    there[0, 1] = False
    return torch.randn(count, 2, WIDTH, generator=torch.Generator().manual_seed(1)), there


def test_they_equal_a_loop_over_all_moments() -> None:
    texts, (recent, there) = made(), asked()
    keys = texts.table[:40, :WIDTH]
    found = texts.nearest(recent, there, torch.full((9,), -1))
    for row, labels in enumerate(found):
        mean = recent[row, : int(there[row].sum())].mean(0)
        cosines = [float(torch.cosine_similarity(mean, key, dim=0)) for key in keys]
        assert labels == sorted(range(40), key=lambda number: -cosines[number])[:3]


def test_frames_that_are_not_there_change_nothing() -> None:
    texts, (recent, there) = made(), asked()
    other = recent.clone()
    other[0, 1] = 100.0
    assert texts.nearest(other, there, torch.zeros(9)) == texts.nearest(recent, there, torch.zeros(9))


def test_moments_of_ones_own_video_are_never_told() -> None:
    texts, (recent, there) = made(count=40), asked()
    texts.know(["video 9", "video 2"])
    found = texts.nearest(recent, there, torch.tensor([0, 1, -1, 7, 1, 1, 1, 1, 1]))
    assert [len(labels) for labels in found] == [40, 30, 40, 40, 30, 30, 30, 30, 30]
    assert all(label % 4 != 2 for label in found[1])
    texts.know(())
    assert len(texts.nearest(recent, there, torch.ones(9))[0]) == 40


def test_of_equal_moments_the_earlier_one_comes_first() -> None:
    texts = NeighborTexts(count=4, frames=1, most=8)
    texts.prepare(WIDTH, 1, 1)
    texts.take(torch.ones(4, WIDTH), torch.tensor([3, 1, 2, 0]), ["a"] * 4)
    assert texts.nearest(torch.ones(1, 1, WIDTH), torch.ones(1, 1, dtype=torch.bool), torch.tensor([-1])) == [
        [3, 1, 2, 0]
    ]


def test_of_too_many_moments_some_of_all_parts_are_kept_and_earlier_ones_are_gone() -> None:
    texts = made(most=10)
    assert texts.table[:, -2].tolist() == list(range(0, 40, 4))
    texts.take(torch.ones(2, WIDTH), torch.tensor([1, 2]), ["a", "b"])
    assert texts.table[:, -2].tolist() == [1, 2] + [-1] * 8


def test_without_moments_nothing_is_told() -> None:
    texts, (recent, there) = NeighborTexts(frames=2), asked()
    texts.prepare(WIDTH, 4, 1)
    assert texts.nearest(recent, there, torch.zeros(9)) == [[]] * 9


def test_moments_keep_their_precision_in_a_classifier_of_half_precision() -> None:
    texts = made()
    assert torch.equal(texts.to(torch.bfloat16).table, made().table)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"count": 0}, "count of NeighborTexts must be at least 1, got 0[^$]*raise count"),
        ({"frames": 0}, "frames of NeighborTexts must be at least 1"),
        ({"most": -1}, "most of NeighborTexts must be at least 1, got -1"),
        ({"text": "Similar:"}, r"must have \{moments\} once, got 'Similar:'"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        NeighborTexts(**settings)


@pytest.mark.parametrize("windows", [(4, 1), (16, 2)])
def test_frames_that_a_query_does_not_see_are_refused(windows: tuple[int, int]) -> None:
    with pytest.raises(
        SettingError, match=r"compares the last 8 frames .* data.short_memory is \d+, data.short_stride"
    ):
        NeighborTexts().prepare(WIDTH, *windows)

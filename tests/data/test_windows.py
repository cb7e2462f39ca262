"""Which frames a query sees."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from gad_lightning.data.windows import chunk_bounds, chunk_frames, window_frames
from gad_lightning.schema import Windows


@pytest.mark.parametrize(
    ("end", "windows", "expected"),
    [
        pytest.param(1, Windows(short=4), [0], id="the first frame sees itself"),
        pytest.param(6, Windows(short=4), [2, 3, 4, 5], id="the last four"),
        pytest.param(6, Windows(short=2, long=3), [1, 2, 3, 4, 5], id="long memory joins without a gap"),
        pytest.param(3, Windows(short=2, long=3), [0, 1, 2], id="nothing before the start, no padding"),
        pytest.param(9, Windows(short=5, short_stride=2), [4, 6, 8], id="thinning keeps the newest frame"),
        pytest.param(8, Windows(short=5, short_stride=2), [3, 5, 7], id="whatever the frame's parity"),
        pytest.param(
            9,
            Windows(short=3, long=6, long_stride=3),
            [0, 3, 6, 7, 8],
            id="the long grid hangs off the short",
        ),
        pytest.param(
            8,
            Windows(short=3, long=6, long_stride=3),
            [2, 5, 6, 7],
            id="also where it is cut at the start",
        ),
    ],
)
def test_hand_checked_windows(end: int, windows: Windows, expected: list[int]) -> None:
    assert window_frames(end, windows).tolist() == expected


@pytest.mark.parametrize("published", [False, True])
def test_windows_are_ascending_and_no_longer_than_the_schema_says(published: bool) -> None:
    for short, long, short_stride, long_stride in [(5, 7, 1, 3), (6, 10, 4, 3), (8, 32, 2, 4), (1, 0, 1, 1)]:
        windows = Windows("window", short, long, short_stride, long_stride)
        for end in range(1, 60):
            frames = window_frames(end, windows, published)
            assert (np.diff(frames) > 0).all()
            assert len(frames) <= windows.frames
            assert published or frames[-1] == end - 1


def test_a_window_moves_with_its_frame() -> None:
    windows = Windows(short=6, long=10, short_stride=4, long_stride=3)
    for end in range(16, 40):
        assert (window_frames(end + 1, windows) == window_frames(end, windows) + 1).all()


def test_chunks_cover_every_frame_once_wherever_the_grid_begins() -> None:
    for first in range(1, 5):
        bounds = chunk_bounds(11, 4, first)
        new = [frame for start, end in pairwise(bounds.tolist()) for frame in range(start, end)]
        assert new == list(range(11))


def test_a_chunk_is_context_then_new_frames() -> None:
    assert chunk_frames(0, 4, window=3).tolist() == [0, 1, 2, 3]
    assert chunk_frames(4, 6, window=3).tolist() == [2, 3, 4, 5]
    assert chunk_frames(4, 6, window=1).tolist() == [4, 5]

"""Sizes of pictures: squashed, padded, or by the shorter side."""

from __future__ import annotations

import numpy as np
import pytest

from gad_lightning.video.base import Frame, FrameSource, Resize


@pytest.mark.parametrize(
    ("resize", "size", "expected"),
    [
        (Resize(96), (640, 480), (96, 96)),
        (Resize(384, "pad"), (1280, 720), (384, 216)),
        (Resize(384, "pad"), (100, 200), (192, 384)),
        (Resize(256, "shorter"), (512, 1024), (256, 512)),
        (Resize(256, "shorter"), (340, 200), (340, 200)),
        (Resize(8, "pad"), (4000, 1), (8, 1)),
    ],
)
def test_pictures_get_the_size_that_is_asked(resize: Resize, size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert resize.size_of(*size) == expected


def test_padding_puts_the_picture_in_the_middle() -> None:
    padded = Resize(8, "pad").fill_up(np.full((4, 8, 3), 200, np.uint8))
    assert padded.shape == (8, 8, 3)
    assert (padded[2:6] == 200).all()
    assert padded[:2].max() == padded[6:].max() == 0
    assert Resize(8).fill_up(padded) is padded


def test_a_source_of_frames_has_to_say_how_it_is_read() -> None:
    with pytest.raises(TypeError, match="abstract"):
        FrameSource()  # type: ignore[abstract]  # that is the point
    assert Frame(0.5, np.zeros((1, 1, 3), np.uint8)).seconds == 0.5

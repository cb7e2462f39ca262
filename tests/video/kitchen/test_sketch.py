"""Drawing in parts of the picture: it shifts and scales, and colors mix."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gad_lightning.video.kitchen.sketch import COLORS, Sketch, blend


def disc(size: int, shift: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.bool_]:
    """Where a white disc on black lies: (size, size)."""
    picture = Image.new("RGB", (size, size))
    Sketch(picture, shift).disc((0.5, 0.5), 0.25, (255, 255, 255))
    return np.asarray(picture)[:, :, 0] > 127


@pytest.mark.parametrize("size", [32, 64, 128])
def test_a_disc_has_the_same_share_of_every_picture(size: int) -> None:
    assert disc(size).mean() == pytest.approx(np.pi / 16, abs=0.04)


def test_a_shift_moves_what_is_drawn() -> None:
    moved = np.argwhere(disc(64, (0.1, 0.0))).mean(0) - np.argwhere(disc(64)).mean(0)
    assert moved == pytest.approx([0.0, 6.4], abs=1)


def test_colors_mix_from_one_to_the_other() -> None:
    assert blend((0, 0, 0), (200, 100, 50), 0.0) == (0, 0, 0)
    assert blend((0, 0, 0), (200, 100, 50), 1.0) == (200, 100, 50)
    assert blend((0, 0, 0), (200, 100, 50), 0.5) == (100, 50, 25)


@pytest.mark.parametrize("kind", ["cup", "bowl", "pot"])
def test_every_vessel_shows_what_it_holds(kind: str) -> None:
    def drawn(contents: tuple[int, int, int]) -> NDArray[np.uint8]:
        picture = Image.new("RGB", (64, 64))
        Sketch(picture).vessel(kind, (0.5, 0.5), contents, ())
        return np.asarray(picture)

    assert (drawn((255, 0, 0)) != drawn((0, 0, 255))).any()


def test_a_carrot_is_as_long_as_its_share() -> None:
    def drawn(share: float) -> int:
        picture = Image.new("RGB", (64, 64))
        Sketch(picture).food((0.5, 0.5), COLORS["orange food"], share)
        return int(np.asarray(picture).any(2).sum())

    assert drawn(0.5) == pytest.approx(drawn(1.0) / 2, rel=0.25)

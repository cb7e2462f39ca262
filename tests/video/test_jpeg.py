"""JPEG pictures are decoded whole or not at all."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from gad_lightning.errors import DataError
from gad_lightning.video.base import Resize
from gad_lightning.video.jpeg import JPEGReader, jpeg_size


def jpeg(width: int, height: int, **settings: bool) -> bytes:
    """A picture of smooth colors."""
    down, right = np.mgrid[:height, :width]
    file = BytesIO()
    picture = np.stack([down % 256, right % 256, (down + right) // 3], -1).astype(np.uint8)
    Image.fromarray(picture).save(file, "JPEG", **settings)
    return file.getvalue()


@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"optimize": True}])
def test_a_picture_has_the_colors_that_another_reader_sees(settings: dict[str, bool]) -> None:
    data = jpeg(160, 120, **settings)
    picture = JPEGReader().read(data)
    expected = np.asarray(Image.open(BytesIO(data)))
    assert picture.shape == (120, 160, 3)
    assert np.abs(picture.astype(int) - expected).mean() < 2
    assert JPEGReader(Resize(96)).read(data).shape == (96, 96, 3)


def test_the_size_is_read_without_decoding() -> None:
    assert jpeg_size(jpeg(161, 97)) == (161, 97)
    assert jpeg_size(jpeg(161, 97)[:30]) is None
    assert jpeg_size(b"") is None


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(DataError, match="160 x 120 pixels; 10,000 are allowed"):
        JPEGReader(most_pixels=10_000).read(jpeg(160, 120))


@pytest.mark.parametrize("cut", [0, 1, 2, 30, 300, 1500])
def test_a_picture_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(DataError, match=r"no JPEG|damaged"):
        JPEGReader().read(jpeg(320, 240)[:cut])


def test_random_damage_gives_a_picture_or_an_error_of_ours() -> None:
    data, noise = jpeg(64, 64), np.random.default_rng(0)
    reader, refused = JPEGReader(Resize(96)), 0
    for _ in range(200):
        damaged = np.frombuffer(data, np.uint8).copy()
        damaged[noise.integers(0, len(data), 8)] = noise.integers(0, 256, 8)
        try:
            assert reader.read(damaged.tobytes()).shape == (96, 96, 3)
        except DataError:
            refused += 1
    assert refused > 20

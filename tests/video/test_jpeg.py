"""JPEG pictures are decoded whole or not at all."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

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


@pytest.mark.parametrize(
    ("orientation", "shape"), [(1, (40, 60, 3)), (3, (40, 60, 3)), (6, (60, 40, 3)), (8, (60, 40, 3))]
)
def test_a_picture_of_a_telephone_is_turned_as_its_exif_says(orientation: int, shape: tuple[int, int, int]) -> None:
    about, file = Image.Exif(), BytesIO()
    about[0x112] = orientation
    Image.open(BytesIO(jpeg(60, 40))).save(file, "JPEG", exif=about.tobytes())
    picture = JPEGReader().read(file.getvalue())
    assert picture.shape == shape
    assert np.abs(picture.astype(int) - np.asarray(ImageOps.exif_transpose(Image.open(file)))).mean() < 2


def test_a_picture_of_many_scans_that_take_long_and_show_nothing_is_refused() -> None:
    data = jpeg(64, 64, progressive=True)
    last = data[data.rfind(b"\xff\xda") : -2]
    assert JPEGReader().read(data).shape == (64, 64, 3)
    with pytest.raises(DataError, match="more than 100 scans"):
        JPEGReader().read(data[:-2] + 101 * last + b"\xff\xd9")


def test_a_picture_too_narrow_to_be_resized_is_refused() -> None:
    with pytest.raises(DataError, match="2 x 65500 pixels cannot be resized"):
        JPEGReader(Resize(224)).read(jpeg(2, 65500))

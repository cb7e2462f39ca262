"""Pictures come as a player shows them: turned, mirrored, in proportion, and not field by field."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from gad_lightning.video.base import Picture, Resize
from gad_lightning.video.decode import VideoFile

W, H = 96, 64
ORIENTATIONS = {
    "as stored": (1, 0, 0, 1),
    "turned right": (0, 1, -1, 0),
    "upside down": (-1, 0, 0, -1),
    "turned left": (0, -1, 1, 0),
    "left and right change places": (-1, 0, 0, 1),
    "top and bottom change places": (1, 0, 0, -1),
    "mirrored at the diagonal": (0, 1, 1, 0),
    "mirrored at the other diagonal": (0, -1, -1, 0),
}


def corners() -> Picture:
    """A picture with another color in each corner: (64, 96, 3)."""
    picture = np.zeros((H, W, 3), np.uint8)
    picture[: H // 2, : W // 2] = (255, 0, 0)
    picture[: H // 2, W // 2 :] = (0, 255, 0)
    picture[H // 2 :, : W // 2] = (0, 0, 255)
    return picture


def write(path: Path, pictures: list[Picture], pixel: Fraction = Fraction(1), **options: str) -> Path:
    """Write pictures at 25 a second."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "4", "bf": "0", **options})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.sample_aspect_ratio = "yuv444p", pixel
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())
    return path


def shown(picture: Picture, matrix: tuple[int, int, int, int]) -> Picture:
    """The same by the definition (ISO 14496-12, 8.3.2): a pixel (x, y) goes to (a x + c y, b x + d y)."""
    a, b, c, d = matrix
    rows, columns = np.mgrid[0:H, 0:W]
    right, down = a * columns + c * rows, b * columns + d * rows
    right, down = right - right.min(), down - down.min()
    turned = np.zeros((down.max() + 1, right.max() + 1, 3), np.uint8)
    turned[down, right] = picture
    return turned


@pytest.mark.parametrize("resize", [None, Resize(48, "pad")])
@pytest.mark.parametrize("name", ORIENTATIONS)
def test_all_eight_orientations_are_shown_as_the_file_asks(tmp_path: Path, name: str, resize: Resize | None) -> None:
    path, matrix = write(tmp_path / "clip.mp4", [corners()] * 3), ORIENTATIONS[name]
    a, b, c, d = matrix
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    struct.pack_into(">9i", data, at, a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    found, expected = next(iter(VideoFile(path, resize=resize))).picture, shown(corners(), matrix)
    if resize is not None:
        small = np.asarray(Image.fromarray(expected).resize(resize.size_of(expected.shape[1], expected.shape[0])))
        expected = resize.fill_up(small)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 4


def moving(when: float) -> Picture:
    """A grating that moves; odd lines are half a frame later, as an interlaced camera has them: (240, 360, 3)."""
    rows, columns = np.mgrid[0:240, 0:360]
    wave = 127 + 100 * np.sign(np.sin((columns - 24 * (when + 0.5 * (rows % 2))) / 18)) * (rows > 50)
    return np.repeat(wave[..., None], 3, 2).astype(np.uint8)


def test_pictures_marked_interlaced_are_shrunk_like_those_marked_progressive(tmp_path: Path) -> None:
    pictures = [moving(index) for index in range(4)]
    for name, params in {"plain": "", "woven": "tff=1"}.items():
        write(tmp_path / f"{name}.mp4", pictures, **({"x264-params": params} if params else {}))
    plain, woven = (
        [picture.astype(int) for _, picture in VideoFile(tmp_path / f"{name}.mp4", resize=Resize(48))]
        for name in ("plain", "woven")
    )
    assert len(plain) == len(woven) == 4
    assert all(np.abs(a - b).mean() < 1.5 for a, b in zip(plain, woven, strict=True))


def test_interlaced_pictures_lose_their_comb_if_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "woven.mp4", [moving(index) for index in range(4)], **{"x264-params": "tff=1"})

    def comb(deinterlace: bool) -> float:
        picture = list(VideoFile(path, deinterlace=deinterlace))[2].picture.astype(float)[60:]
        return float(np.abs(picture[1:-1] - (picture[:-2] + picture[2:]) / 2).mean())

    assert comb(True) < 0.2 * comb(False)


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    path = write(tmp_path / "high.mp4", [corners()] * 3, Fraction(1, 2))
    assert next(iter(VideoFile(path))).picture.shape == (128, 96, 3)
    path = write(tmp_path / "anamorphic.mp4", [corners()] * 3, Fraction(4, 3))
    assert next(iter(VideoFile(path))).picture.shape == (64, 128, 3)
    padded = next(iter(VideoFile(path, resize=Resize(64, "pad")))).picture
    assert padded[:15].max() == 0, "twice as wide as high"
    assert padded[17:30, 2:30].mean((0, 1)) == pytest.approx([255, 0, 0], abs=6)

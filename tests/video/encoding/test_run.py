"""Batches are filled from whatever videos there are, and every video gets its own features back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gad_lightning.video.ahead import Piece
from gad_lightning.video.encoders import SmallEncoder
from gad_lightning.video.encoding.run import Batches


class Means(SmallEncoder):
    """The mean of every picture, and a record of the batches."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def forward(self, pictures: Tensor) -> Tensor:
        """Mean: (B, 1, 1)."""
        self.batches.append(len(pictures))
        return pictures.float().mean((1, 2, 3))[:, None, None]


def piece(number: int, values: list[int], side: int = 4) -> Piece:
    """Gray pictures of a video."""
    return Piece(number, np.stack([np.full((side, side, 3), value, np.uint8) for value in values]))


def test_features_go_to_their_video_in_order() -> None:
    encoder, written = Means(), dict[int, list[float]]()

    def write(number: int, block: NDArray[np.float32]) -> None:
        written.setdefault(number, []).extend(block.flatten().tolist())

    batches = Batches(encoder, 4, write)
    for one in (piece(0, [1, 2]), piece(1, [50]), piece(0, [3, 4]), piece(1, [51])):
        batches.add(one)
    assert written == {0: [1, 2, 3, 4], 1: [50]}
    batches.flush()
    batches.flush()
    assert written == {0: [1, 2, 3, 4], 1: [50, 51]}
    assert encoder.batches == [5, 1]


def test_pictures_of_another_size_begin_another_batch() -> None:
    encoder = Means()
    batches = Batches(encoder, 10, lambda number, block: None)
    for one in (piece(0, [1, 2]), piece(1, [3], side=8), piece(0, [4])):
        batches.add(one)
    batches.flush()
    assert encoder.batches == [2, 1, 1]

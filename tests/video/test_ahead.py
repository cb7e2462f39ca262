"""Decoding ahead: pieces in order, and decoders that crash or hang."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from torch import Tensor

from gad_lightning.video.ahead import Ahead, ChildDecoder, DecodeTask, End, Piece, ThreadDecoder
from gad_lightning.video.base import Picture
from gad_lightning.video.encoders import Encoder
from tests.video.clips import number_of, write_clip


class Trap(Encoder):
    """Its ``prepare`` crashes the process at frame 3 or hangs at frame 4; it runs in the child."""

    name, revision, width, tokens_per_frame = "trap", None, 1, 1

    def __init__(self, crash: bool) -> None:
        super().__init__()
        self.crash = crash

    def prepare(self, picture: Picture) -> Picture:
        """Go wrong, as C code can on a bad file."""
        if self.crash and number_of(picture) == 3:
            os._exit(139)
        if not self.crash and number_of(picture) == 4:
            time.sleep(1000)
        return picture

    def forward(self, pictures: Tensor) -> Tensor:
        """Not called."""
        return pictures


class Slow(Encoder):
    """Its ``prepare`` takes a second a picture; it runs in the child."""

    name, revision, width, tokens_per_frame = "slow", None, 1, 1

    def prepare(self, picture: Picture) -> Picture:
        """Take a while, as decoding does at a low rate on a busy machine."""
        time.sleep(1.0)
        return picture

    def forward(self, pictures: Tensor) -> Tensor:
        """Not called."""
        return pictures


def task(number: int, path: Path) -> DecodeTask:
    """All frames of a clip of 5 a second, in pieces of 2."""
    return DecodeTask(number, path, 5.0, None, "keep", 2)


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    """Clips of 3 and 10 frames."""
    return [write_clip(tmp_path / f"{n}.mp4", [index / 5 for index in range(n)]) for n in (3, 10)]


def test_pieces_come_in_order_and_every_task_ends_once(clips: list[Path]) -> None:
    messages = list(Ahead([ThreadDecoder(None), ThreadDecoder(None)], [task(0, clips[0]), task(1, clips[1])]))
    for number, length in enumerate((3, 10)):
        pieces = [message for message in messages if isinstance(message, Piece) and message.number == number]
        assert [number_of(picture) for piece in pieces for picture in piece.pictures] == list(range(length))
        assert [len(piece.pictures) for piece in pieces] == [2] * (length // 2) + [1] * (length % 2)
    assert sorted(message.number for message in messages if isinstance(message, End)) == [0, 1]


@pytest.mark.parametrize(
    ("crash", "words"),
    [
        pytest.param(False, "gave nothing for 3 s", id="hang"),
        pytest.param(True, "made the decoder crash", id="crash", marks=pytest.mark.slow),  # starts two processes more
    ],
)
def test_a_decoder_that_crashes_or_hangs_is_replaced(clips: list[Path], crash: bool, words: str) -> None:
    decoder = ChildDecoder(Trap(crash).spec() | {"class_path": "tests.video.test_ahead.Trap"}, patience=3)
    tasks = [task(0, clips[0]), task(1, clips[1]), task(2, clips[0])]
    ends = {message.number: message.why for message in Ahead([decoder], tasks) if isinstance(message, End)}
    assert ends[0] is None
    assert ends[1] is not None
    assert words in ends[1]
    assert ends[2] is None


def test_a_fault_of_ours_reaches_the_reader(clips: list[Path]) -> None:
    def faulty(picture: Picture) -> Picture:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(Ahead([ThreadDecoder(faulty)], [task(0, clips[0])]))


def test_a_reader_that_leaves_stops_the_decoders(clips: list[Path]) -> None:
    before = threading.active_count()
    child = ChildDecoder(None, patience=60)
    messages = iter(Ahead([ThreadDecoder(None), child], [task(number, clips[1]) for number in range(100)], depth=1))
    for _ in range(3):
        next(messages)
    messages.close()  # type: ignore[attr-defined]  # it is a generator
    assert threading.active_count() == before
    assert child.child is None


@pytest.mark.slow  # ten pictures of a second each; patience has to outlast the start of the child
def test_patience_counts_pictures_and_not_the_pieces_they_travel_in(clips: list[Path]) -> None:
    decoder = ChildDecoder(Slow().spec() | {"class_path": "tests.video.test_ahead.Slow"}, patience=8)
    messages = list(Ahead([decoder], [task(0, clips[1])._replace(piece=16)]))
    assert [len(message.pictures) for message in messages if isinstance(message, Piece)] == [10]
    assert isinstance(messages[-1], End)
    assert messages[-1].why is None

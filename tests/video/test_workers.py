"""Decoding in worker processes, and thousands of times in one: nothing hangs, nothing piles up."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.video.decode import VideoFile
from tests.video.clips import read_frames, read_numbers, write_clip

PATIENCE = 60
"""Seconds after which workers count as stuck."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty frames with B-frames."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", [index / 25 for index in range(20)], bf="2")


FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@pytest.mark.parametrize("method", [pytest.param("fork", marks=FORKS), "spawn"])
def test_eight_workers_decode_while_their_parent_has_a_file_open(clip: Path, method: str) -> None:
    half_read = read_frames(clip)
    next(half_read)
    with multiprocessing.get_context(method).Pool(8) as pool:
        numbers = pool.map_async(read_numbers, [clip] * 64, chunksize=1).get(timeout=PATIENCE)
    assert numbers == [list(range(20))] * 64
    assert len(list(half_read)) == 19


def test_a_file_object_travels_to_a_worker_and_is_opened_there(clip: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        frames = pool.apply_async(list, (VideoFile(clip, fps=5),)).get(timeout=PATIENCE)
    assert [frame.seconds for frame in frames] == pytest.approx([0.0, 0.2, 0.4, 0.6])


def go_on(frames: Iterator[object]) -> bool:
    """Go on reading in a fork: whether that was refused."""
    try:
        next(frames)
    except SettingError as error:
        return "opened before a fork" in str(error)
    return False


@FORKS
def test_a_decoder_is_not_used_on_both_sides_of_a_fork(clip: Path) -> None:
    frames = read_frames(clip)
    next(frames)
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)
        os._exit(0 if go_on(frames) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(list(frames)) == 19


def resident() -> int:
    """Bytes of memory this process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc, which only Linux has")
@pytest.mark.parametrize("opens", [300, pytest.param(10_000, marks=pytest.mark.slow)])  # slow: about a minute
def test_memory_stays_flat_over_many_opens(clip: Path, opens: int) -> None:
    for _ in range(100):  # first uses fill caches
        next(read_frames(clip))
    before = resident()
    for number in range(opens):
        frames = read_frames(clip, fps=5)
        next(frames)
        if number % 2:
            list(frames)
    assert resident() - before < 8 * 2**20

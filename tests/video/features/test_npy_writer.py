"""A feature file is whole or not there, however many runs write it and whatever the disk takes."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from gad_lightning.errors import DataError, SettingError
from gad_lightning.video.features.npy_writer import NpyWriter

ROWS = np.arange(12, dtype=np.float32).reshape(3, 1, 4)


def parts(folder: Path) -> list[Path]:
    """Half-written files."""
    return sorted(folder.glob(".*.part"))


def test_rows_become_a_file_when_it_is_finished(tmp_path: Path) -> None:
    with NpyWriter(tmp_path / "a.npy", "float16") as writer:
        writer.append(ROWS)
        writer.append(ROWS)
        assert len(parts(tmp_path)) == 1
        assert not (tmp_path / "a.npy").exists()
        writer.finish()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.concatenate([ROWS, ROWS]))
    assert os.listdir(tmp_path) == ["a.npy"]


def test_two_writers_of_one_file_do_not_hurt_each_other(tmp_path: Path) -> None:
    with NpyWriter(tmp_path / "a.npy", "float16") as first, NpyWriter(tmp_path / "a.npy", "float16") as second:
        first.append(ROWS)
        second.append(ROWS)
        first.append(ROWS)
        second.append(ROWS)
        first.finish()
        second.finish()
    assert len(np.load(tmp_path / "a.npy")) == 6
    assert os.listdir(tmp_path) == ["a.npy"]


def test_what_a_killed_writer_left_is_removed_and_a_living_one_is_left_alone(tmp_path: Path) -> None:
    child = os.fork()
    if not child:  # pragma: no cover
        NpyWriter(tmp_path / "a.npy", "float16").append(ROWS)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (left,) = parts(tmp_path)
    with NpyWriter(tmp_path / "a.npy", "float16") as writer:
        writer.append(ROWS)
        assert len(parts(tmp_path)) == 1
        assert left not in parts(tmp_path)
        writer.finish()


@pytest.mark.parametrize("name", ["あ" * 82, "n" * 251])
def test_a_name_that_fits_fits_while_it_is_written_too(tmp_path: Path, name: str) -> None:
    with NpyWriter(tmp_path / f"{name}.npy", "float16") as writer:
        writer.append(ROWS)
        writer.finish()
    assert os.listdir(tmp_path) == [f"{name}.npy"]


def test_a_full_disk_is_named_and_nothing_stays_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with NpyWriter(tmp_path / "a.npy", "float32") as writer:
        writer.append(ROWS)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(SettingError, match=r"(?s)a.npy cannot be written: the disk is full.*free space"):
            writer.finish()
    assert os.listdir(tmp_path) == []


def test_numbers_that_the_file_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Features of a.npy are not finite in float16 \(largest: 100000\)"):
        NpyWriter(tmp_path / "a.npy", "float16").append(np.full((1, 1, 1), 1e5, np.float32))

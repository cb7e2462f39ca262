"""Files are written whole or not at all, also by several processes at once; a folder is held by one."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from gad_lightning.atomic import FolderLock, atomic_write, make_folder, remove_abandoned
from gad_lightning.errors import SettingError

SIZE = 200_000


def write_often(target: Path, letter: bytes, times: int) -> None:
    """Write files of one letter, one after the other, and clean up as checkpoints do."""
    for _ in range(times):
        with atomic_write(target) as part:
            part.write_bytes(letter * SIZE)
        remove_abandoned(target)


def test_processes_that_share_a_name_never_mix_what_they_write(tmp_path: Path) -> None:
    target = tmp_path / "x.bin"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_often, args=(target, letter, 100)) for letter in (b"a", b"b", b"c")]
    for writer in writers:
        writer.start()
    seen = 0
    while any(writer.is_alive() for writer in writers):
        if target.exists():
            content = target.read_bytes()
            assert len(content) == SIZE
            assert len(set(content)) == 1
            seen += 1
    assert seen
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert list(tmp_path.iterdir()) == [target]


def test_a_block_that_fails_leaves_the_file_before_it(tmp_path: Path) -> None:
    target = tmp_path / "x.txt"
    target.write_text("before")
    with pytest.raises(SettingError, match=r"x\.txt cannot be written: Is a directory"), atomic_write(target) as part:
        tmp_path.write_text(f"fails after {part.write_text('half')} letters")
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_of_the_targets_name_is_replaced_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("keep me")
    (tmp_path / "x.txt").symlink_to(elsewhere)
    with atomic_write(tmp_path / "x.txt") as part:
        part.write_text("new")
    assert elsewhere.read_text() == "keep me"
    assert (tmp_path / "x.txt").read_text() == "new"


def test_the_longest_name_that_a_disk_takes_can_be_written(tmp_path: Path) -> None:
    for name in ("n" * 255, "é" * 127):
        with atomic_write(tmp_path / name) as part:
            part.write_text("whole")
        assert (tmp_path / name).read_text() == "whole"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(SettingError, match=r"x\.txt cannot be written: No such file"),
        atomic_write(tmp_path / "none" / "x.txt"),
    ):
        raise AssertionError("the block is never run")


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"No space left.*\nTo fix it: free space"), atomic_write(tmp_path / "x"):
        Path("/dev/full").write_text("the disk behind this is full")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_held_by_one_process_and_free_again_afterwards(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "new")
    lock.take()
    child = os.fork()
    if child == 0:
        try:
            FolderLock(tmp_path / "new").take()
        except SettingError as error:
            os._exit(7 if f"process {os.getppid()}" in error.message else 8)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    lock.release()
    assert not list((tmp_path / "new").iterdir())
    FolderLock(tmp_path / "new").take()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match=r"file/new cannot be made \(Not a directory\)"):
        make_folder(tmp_path / "file" / "new")

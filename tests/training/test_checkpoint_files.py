"""Checkpoint files are whole, or recognized as cut short; disks are filled and processes killed for real."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import subprocess
import threading
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from gad_lightning.errors import CheckpointError, MissingDataError
from gad_lightning.training.checkpoint_files import WholeCheckpointIO, is_whole, newest_checkpoint
from tests.training.program import Run, train

CONTENT: dict[str, Any] = {"state_dict": {"weights": torch.arange(100_000.0)}, "global_step": 7}
FILES = WholeCheckpointIO()


def written(path: Path, step: int, run: str | None = None) -> Path:
    """A checkpoint of a step, of a run."""
    about = {} if run is None else {"exact_resume": {"run": run}}
    WholeCheckpointIO().save_checkpoint({**CONTENT, **about, "global_step": step}, path)
    return path


def cut(path: Path, share: float = 0.5) -> None:
    """Cut a file short."""
    os.truncate(path, int(path.stat().st_size * share))


def zeroed(path: Path, share: float = 0.5) -> None:
    """Leave a file its length, but zeros in its middle, as a crash does before the disk has all of it."""
    content = bytearray(path.read_bytes())
    start = int(len(content) * share)
    content[start : start + 4096] = bytes(4096)
    path.write_bytes(content)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.ckpt"
    FILES.save_checkpoint(CONTENT, path)
    read = FILES.load_checkpoint(path)
    assert torch.equal(read["state_dict"]["weights"], CONTENT["state_dict"]["weights"])
    assert read["global_step"] == 7
    assert [found.name for found in path.parent.iterdir()] == ["x.ckpt"]
    with pytest.raises(MissingDataError, match="No checkpoint at"):
        FILES.load_checkpoint(tmp_path / "none.ckpt")


@pytest.mark.parametrize("damage", [cut, zeroed])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_the_one_before_a_damaged_one_is_used_and_both_are_named(tmp_path: Path, damage: Any, share: float) -> None:
    written(tmp_path / "a" / "best.ckpt", 10)
    before = written(tmp_path / "a" / "last.ckpt", 10)
    newest = written(tmp_path / "b" / "last-00000020.ckpt", 20)
    assert newest_checkpoint(tmp_path) == newest
    damage(newest, share)
    assert not is_whole(newest)
    with pytest.warns(UserWarning, match=f"{newest}. Used instead: {before}"):
        assert newest_checkpoint(tmp_path) == before


def test_lightnings_own_word_last_passes_over_a_damaged_one(tmp_path: Path) -> None:
    written(tmp_path / "last-00000010.ckpt", 10)
    newest = written(tmp_path / "last-00000020.ckpt", 20)
    cut(newest)
    with pytest.warns(UserWarning, match="Used instead: .*last-00000010.ckpt"):
        assert FILES.load_checkpoint(newest)["global_step"] == 10


def test_one_that_was_asked_for_by_name_is_never_swapped(tmp_path: Path) -> None:
    written(tmp_path / "last.ckpt", 10)
    best = written(tmp_path / "best.ckpt", 20)
    cut(best)
    with pytest.raises(CheckpointError, match=r"best\.ckpt is damaged"):
        FILES.load_checkpoint(best)


def test_nothing_to_go_on_from_is_a_first_start_unless_all_is_damaged(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "absent") is None
    cut(written(tmp_path / "last.ckpt", 10))
    with pytest.raises(CheckpointError, match=r"No checkpoint in .* is whole: .*last\.ckpt"):
        newest_checkpoint(tmp_path)


SMALL: dict[str, Any] = {"state_dict": {"weights": torch.arange(64.0)}, "global_step": 7}


def test_every_damage_of_the_newest_leads_to_the_one_before(tmp_path: Path) -> None:
    before, newest = tmp_path / "last-00000010.ckpt", tmp_path / "last-00000020.ckpt"
    FILES.save_checkpoint(SMALL, before)
    FILES.save_checkpoint({**SMALL, "global_step": 20}, newest)
    whole = newest.read_bytes()
    with zipfile.ZipFile(newest) as archive:
        start = archive.start_dir
    used: set[Path | None] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for place in range(start, len(whole)):
            newest.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
            found = newest_checkpoint(tmp_path)
            used.add(found)
            assert found is not None
            assert torch.equal(FILES.load_checkpoint(found)["state_dict"]["weights"], SMALL["state_dict"]["weights"])
    assert used == {before}


def test_only_files_of_this_run_are_removed(tmp_path: Path) -> None:
    own, other, unknown = (written(tmp_path / f"{run}.ckpt", 1, run) for run in ("mine", "theirs", None))
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.ckpt").symlink_to(own)
    files = WholeCheckpointIO()
    files.save_checkpoint({**CONTENT, "exact_resume": {"run": "mine"}}, tmp_path / "now.ckpt")
    for path in (other, unknown, tmp_path / "folder", tmp_path / "link.ckpt", tmp_path / "none.ckpt"):
        files.remove_checkpoint(path)
    assert len(list(tmp_path.iterdir())) == 6
    files.remove_checkpoint(own)
    files.remove_checkpoint(tmp_path / "now.ckpt")
    assert not own.exists()
    assert not (tmp_path / "now.ckpt").exists()


def save_under_a_limit(path: Path, size: int, answers: Any) -> None:
    """Write a checkpoint while files may not grow beyond ``size`` bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write then fails as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        FILES.save_checkpoint(CONTENT, path)
    except CheckpointError as error:
        answers.put(str(error))


@pytest.mark.parametrize("size", [0, 1000, 300_000])
def test_a_quota_leaves_the_checkpoint_before_whole(tmp_path: Path, size: int) -> None:
    path = written(tmp_path / "last.ckpt", 3)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    process = context.Process(target=save_under_a_limit, args=(path, size, answers))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert "cannot be written: File too large. Those before it are whole." in answers.get()
    assert FILES.load_checkpoint(path)["global_step"] == 3
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a quarter of a megabyte, or a skip where one may not be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk, and not in every container")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_stops_training_with_the_reason_and_the_checkpoint_before_goes_on(small_disk: Path) -> None:
    run = Run(small_disk, save_at=tuple(("batch_end", batches) for batches in range(1, 11)))
    with pytest.raises(CheckpointError, match=r"(?s)No space left on device.*free space on the disk"):
        train(run)
    newest = newest_checkpoint(small_disk)
    assert newest is not None
    newest.rename(small_disk / "kept.ckpt")
    for other in small_disk.glob("batch_end*"):
        other.unlink()
    assert train(run._replace(resume=small_disk / "kept.ckpt", save_at=())).steps == 10


def save_for_ever(path: Path) -> None:
    """Write one checkpoint after the other."""
    step = 0
    while True:
        step += 1
        FILES.save_checkpoint({"weights": torch.full((2_000_000,), float(step)), "global_step": step}, path)


def test_a_process_killed_while_it_writes_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    context = multiprocessing.get_context("fork")
    for moment in range(8):
        process = context.Process(target=save_for_ever, args=(path,))
        process.start()
        while not path.exists():
            time.sleep(0.01)
        threading.Event().wait(0.03 + 0.017 * moment)
        process.kill()
        process.join()
        read = FILES.load_checkpoint(path)
        assert bool((read["weights"] == read["global_step"]).all())
    FILES.save_checkpoint(CONTENT, path)
    assert list(tmp_path.iterdir()) == [path], "what killed processes left is not removed"

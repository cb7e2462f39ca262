"""A run that gets a signal writes a checkpoint before its next step, leaves, and goes on as if nothing had been."""

from __future__ import annotations

import enum
import os
import signal
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.training.interruption import TRY_AGAIN, Interruption, Stopped
from tests.training.program import Book, Ending, Run, launch, train

ONLY_SIGNALS: dict[str, Any] = {"every_seconds": None}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Ending]:
    """Runs that nobody stopped, by accumulation."""
    return {size: train(Run(tmp_path_factory.mktemp("whole"), accumulate=size)) for size in (1, 2)}


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ``scontrol`` on the path that notes what it is asked; the note."""
    folder, note = tmp_path / "bin", tmp_path / "asked"
    folder.mkdir()
    program = folder / "scontrol"
    program.write_text(f'#!/bin/sh\necho "$@" >> {note}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return note


@pytest.mark.parametrize(
    ("accumulate", "where", "steps"),
    [
        pytest.param(1, ("batch_end", 2), 2, id="within an epoch"),
        pytest.param(2, ("batch_end", 3), 2, id="within an accumulation: after it"),
        pytest.param(1, ("batch_end", 5), 5, id="before a validation"),
        pytest.param(1, ("validating", 5), 5, id="within a validation"),
        pytest.param(1, ("validation_end", 5), 5, id="after a validation"),
    ],
)
def test_a_signal_stops_and_nothing_is_lost_or_done_twice(
    accumulate: int, where: tuple[str, int], steps: int, whole: dict[int, Ending], tmp_path: Path
) -> None:
    stop = Interruption(**ONLY_SIGNALS)
    run = Run(tmp_path, accumulate=accumulate, signal_at=where, callbacks=(stop,))
    before, after = Book(), Book()
    with pytest.raises(Stopped) as stopped:
        train(run, before)
    assert stopped.value.code == TRY_AGAIN
    assert stopped.value.checkpoint == tmp_path / "checkpoints" / f"last-{steps:08d}.ckpt"
    rest = train(run._replace(resume=stopped.value.checkpoint, signal_at=None), after)
    unstopped = whole[accumulate]
    assert before.losses | after.losses == unstopped.losses
    assert before.validations | after.validations == unstopped.validations
    assert not set(before.losses) & set(after.losses)
    assert not set(before.validations) & set(after.validations)
    assert rest[3:] == unstopped[3:]


def test_checkpoints_are_written_every_so_many_steps_and_two_are_kept(tmp_path: Path) -> None:
    train(Run(tmp_path, callbacks=(Interruption(every_seconds=None, every_steps=2),)))
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["last-00000006.ckpt", "last-00000008.ckpt"]


def test_checkpoints_are_written_by_time(tmp_path: Path) -> None:
    train(Run(tmp_path, callbacks=(Interruption(every_seconds=1e-6, keep=100, folder=tmp_path / "here"),)))
    assert len(list((tmp_path / "here").iterdir())) == 9  # before every step but the first


def test_after_the_run_a_signal_goes_to_whom_it_belonged(tmp_path: Path) -> None:
    got: list[int] = []

    def own(number: int, frame: FrameType | None) -> None:
        got.append(number)

    previous = signal.signal(signal.SIGUSR1, own)
    try:
        train(Run(tmp_path, epochs=1, callbacks=(Interruption(),)))
        os.kill(os.getpid(), signal.SIGUSR1)
        assert got == [signal.SIGUSR1]
        with pytest.raises(Stopped):
            train(Run(tmp_path, callbacks=(Interruption(),), signal_at=("batch_end", 1)))
        os.kill(os.getpid(), signal.SIGUSR1)
        assert got == [signal.SIGUSR1] * 2
    finally:
        signal.signal(signal.SIGUSR1, previous)


def test_slurm_is_asked_to_queue_the_job_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scontrol: Path) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    with pytest.raises(Stopped):
        train(Run(tmp_path, callbacks=(Interruption(),), signal_at=("batch_end", 1)))
    assert scontrol.read_text() == "requeue 4711\n"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"signals": ["SIGFOO"]}, "There is no signal 'SIGFOO' here"),
        ({"every_seconds": 0.0}, "every_seconds must be above 0, got 0.0"),
        ({"keep": 0}, "keep must be above 0, got 0"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Interruption(**settings)


@pytest.mark.slow  # starts two processes three times
def test_a_signal_to_one_of_two_processes_stops_both(tmp_path: Path) -> None:
    run = Run(tmp_path, processes=2)
    _, unstopped = launch(run)
    stop = Interruption(**ONLY_SIGNALS)
    told = run._replace(callbacks=(stop,), signal_at=("batch_end", 3), signal_rank=1, signal_number=signal.SIGTERM)
    codes, _ = launch(told)
    assert codes == [TRY_AGAIN] * 2
    codes, rest = launch(run._replace(resume=tmp_path / "checkpoints" / "last-00000003.ckpt"))
    assert codes == [0, 0]
    assert unstopped is not None
    assert rest is not None
    assert rest[3:] == unstopped[3:]


def test_checkpoints_of_an_older_and_longer_run_are_left_alone_and_new_ones_outlive_them(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for step in (5000, 5600):
        (folder / f"last-{step:08d}.ckpt").write_bytes(b"of before")
    train(Run(tmp_path, steps=3, callbacks=(Interruption(every_seconds=None, every_steps=1),)))
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"last-{step:08d}.ckpt" for step in (1, 2, 5000, 5600)]


def test_signals_that_a_system_does_not_have_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM")
    windows = enum.IntEnum("Signals", {name: int(getattr(signal, name)) for name in names})
    monkeypatch.setattr(signal, "Signals", windows)
    assert [number.name for number in Interruption().signals] == ["SIGTERM", "SIGINT"]
    assert Interruption(signals=["SIGUSR2"]).signals == []

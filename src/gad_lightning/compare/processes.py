"""Commands of the library in processes of their own, which begin with everything imported."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from multiprocessing.context import BaseContext
from pathlib import Path
from threading import Event, Lock

import torch

PACKAGE = "gad_lightning"
IMPORTED = (
    f"{PACKAGE}.cli.hushed",
    f"{PACKAGE}.cli.trainer",
    f"{PACKAGE}.classifiers.gad",
    "peft",
    "transformers.models.llama.modeling_llama",
)
"""What every run imports, in this order: 7 of the 10 seconds that a short one takes beside its training."""
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""Of the server that processes are forked from: with more threads than one it could not be forked."""
starting = Lock()


def _make_context() -> BaseContext:
    """How processes are started: forked from a server that has everything imported, where that is possible.

    Where there is a GPU nothing is imported beforehand: some packages open it as they are imported, and what is forked
    then cannot use it.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    if not torch.cuda.is_available():
        context.set_forkserver_preload(list(IMPORTED))
    return context


def run_command(words: Sequence[str], log: Path, threads: int, stop: Event) -> bool:
    """Run ``python -m gad_lightning`` with these words, which go to the log with all it prints; whether it ended well.

    Args:
        words: command and options.
        log: is added to.
        threads: of the process.
        stop: ends the process when set.
    """
    _write(log, f"$ {shlex.join([sys.executable, '-m', PACKAGE, *words])}\n")
    with starting:  # the environment is read when the server starts, with the first process
        before = {name: os.environ.get(name) for name in ENVIRONMENT}
        os.environ.update(ENVIRONMENT)
        process = _make_context().Process(target=_run_here, args=(list(words), log, threads))  # type: ignore[attr-defined]  # of each kind of context
        try:
            process.start()
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
    while process.is_alive():
        if stop.wait(0.1):
            process.terminate()
            process.join()
            return False
    _write(log, f"exit status {process.exitcode}\n")
    return bool(process.exitcode == 0)


def _run_here(words: list[str], log: Path, threads: int) -> None:
    """Become the command, in a process that was started for it."""
    with log.open("a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    sys.argv = [PACKAGE, *words]
    runpy.run_module(PACKAGE, run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    """Wait until the process that asked for this one is gone, killed perhaps, and stop as on a signal."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a process was started for this command"
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _write(log: Path, text: str) -> None:
    """Add to the log."""
    with log.open("a", encoding="utf-8") as file:
        file.write(text)

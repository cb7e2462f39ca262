"""Work done by several real processes of one group, on this machine."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 180.0
"""How long the work may take."""


def start(processes: int, work: Callable[..., None], *args: Any) -> list[int | None]:
    """Call ``work(rank, *args)`` in each of so many new processes.

    Args:
        processes: their number; one is a process of its own too.
        work: of a module, so that another process finds it.
        *args: that can be pickled.

    Returns:
        Exit statuses, by rank.
    """
    context = multiprocessing.get_context("forkserver")  # imports torch once, then forks
    context.set_forkserver_preload(["tests.training.program", "transformers.models.llama", "peft"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [context.Process(target=be_rank, args=(rank, processes, port, work, args)) for rank in range(processes)]
    for process in started:
        process.start()
    for process in started:
        process.join(PATIENCE_SECONDS)
        process.kill()
        process.join()
    return [process.exitcode for process in started]


def be_rank(rank: int, processes: int, port: int, work: Callable[..., None], args: tuple[Any, ...]) -> None:
    """Work as one of several processes, as ``torchrun`` would start it."""
    multiprocessing.set_start_method("fork", force=True)  # of loader workers, as in a process that nobody forked
    if processes > 1:
        os.environ |= {
            "TORCHELASTIC_RUN_ID": "test",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "WORLD_SIZE": str(processes),
            "LOCAL_WORLD_SIZE": str(processes),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "GROUP_RANK": "0",
        }
    work(rank, *args)

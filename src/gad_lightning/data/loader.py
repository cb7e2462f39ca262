"""The loader of batches: it starts where it is told to, and its workers outlive the signals sent to a job."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType

from torch.utils.data import DataLoader

from gad_lightning.types import Batch


class LateLoader(DataLoader[Batch]):
    """A DataLoader that asks its sampler at the first batch, not when it is iterated.

    Lightning iterates the loader before it restores a checkpoint, and worker processes then fetch the first batches of
    an epoch that may be done. Its arguments are those of ``torch.utils.data.DataLoader``.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # a promise of an iterator of torch's own class
        """Yield batches; nothing happens before the first is asked for."""
        yield from super().__iter__()


def outlive_signals(worker: int) -> None:
    """Let a worker process ignore the first SIGTERM and every SIGUSR1 (a ``worker_init_fn``).

    A cluster sends them to every process of a job, to the workers too, and a worker that dies takes the training
    process with it before that could write its checkpoint. The second SIGTERM ends the worker.
    """

    def let_the_next_through(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)

    if hasattr(signal, "SIGUSR1"):  # Windows has none
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, let_the_next_through)

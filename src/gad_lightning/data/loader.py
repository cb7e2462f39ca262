"""The loader of batches: it starts where it is told to, and its workers outlive the signals sent to a job."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from threading import Thread
from typing import Any

import torch
from torch.utils.data import DataLoader

from gad_lightning.data.dataset import WindowDataset
from gad_lightning.data.epoch_sampler import EpochSampler
from gad_lightning.types import Batch


class LateLoader(DataLoader[Batch]):
    """A DataLoader that asks its sampler at the first batch, not when it is iterated.

    Lightning iterates the loader before it restores a checkpoint, and worker processes then fetch the first batches of
    an epoch that may be done. Its arguments are those of ``torch.utils.data.DataLoader``.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # a promise of an iterator of torch's own class
        """Yield batches; nothing happens before the first is asked for."""
        yield from super().__iter__()


def loader_of(dataset: WindowDataset, sampler: EpochSampler, num_workers: int) -> LateLoader:
    """Load the batches that a sampler names, in ``num_workers`` processes."""
    return LateLoader(
        dataset,
        batch_size=None,  # a key of the sampler names a whole batch
        sampler=sampler,
        collate_fn=_as_is,
        num_workers=num_workers,
        worker_init_fn=_outlive_signals,
        generator=torch.Generator(),  # its own: the run's random numbers do not depend on the number of workers
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def _as_is(batch: Any) -> Any:
    """Leave a batch as the data set made it."""
    return batch


def _outlive_signals(worker: int) -> None:
    """Let a worker process ignore SIGUSR1, and SIGTERM from anyone but its training process (a ``worker_init_fn``).

    A cluster sends them to every process of a job, to the workers too, and a worker that dies takes the training
    process with it before that could write its checkpoint. Does nothing where the system does not tell who sends.
    """
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
        Thread(target=_obey, args=(os.getppid(),), daemon=True).start()


def _obey(parent: int) -> None:
    """Take the signals of this process one by one, and end it if the process ``parent`` asks for that."""
    while True:
        received = signal.sigwaitinfo([signal.SIGTERM, signal.SIGUSR1])
        if received.si_signo == signal.SIGTERM and received.si_pid == parent:
            os._exit(0)

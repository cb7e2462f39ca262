"""Randomness and order as pure functions of (seed, epoch, ...): no state to save, none to lose in a worker process."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import SequentialSampler
from torch.utils.data.distributed import DistributedSampler

from gad_lightning.data.windows import IntArray

if TYPE_CHECKING:
    from gad_lightning.data.dataset import WindowDataset


class Stream(IntEnum):
    """What a random number is for; different streams are independent."""

    OFFSET = 0
    ORDER = 1
    ANSWER = 2
    BACKGROUND = 3


def draws(seed: int, epoch: int, stream: Stream, *columns: IntArray) -> NDArray[np.float64]:
    """Draw a uniform number in [0, 1) for each row of ``columns``, from a hash of all that is given.

    The numbers are multiples of 2 ** -24, so that float32 holds them exactly and none is rounded up to 1.

    Args:
        seed: of the run.
        epoch: from 0.
        stream: what the numbers are for.
        *columns: each (n,) int64, such as the video and the ordinal of n queries.

    Returns:
        (n,) float64.

    Source: the mixing function is SplitMix64 (Steele et al., Fast Splittable Pseudorandom Number Generators, 2014).
    """
    state = np.zeros(1, dtype=np.uint64)
    for column in (np.array([seed]), np.array([epoch]), np.array([int(stream)]), *columns):
        state = _mix(state + (column.astype(np.int64).view(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
    return (state >> np.uint64(40)).astype(np.float64) * 2.0**-24


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def shuffled(num_samples: int, seed: int, epoch: int) -> IntArray:
    """The order of an epoch: a permutation of ``num_samples``, the same in every process.

    Example:
        >>> shuffled(5, seed=0, epoch=0).tolist() == shuffled(5, seed=0, epoch=0).tolist()
        True
    """
    return np.argsort(draws(seed, epoch, Stream.ORDER, np.arange(num_samples)), kind="stable")


def deal(order: IntArray, num_batches: int) -> list[IntArray]:
    """Deal samples into batches whose sizes differ by one at most, in order, dropping and repeating none.

    Only where there are fewer samples than batches are the first ones repeated, so that no batch is empty.

    Example:
        >>> [batch.tolist() for batch in deal(np.arange(7), 3)]
        [[0, 1, 2], [3, 4], [5, 6]]
    """
    if 0 < len(order) < num_batches:
        order = np.resize(order, num_batches)
    return np.array_split(order, num_batches)


class BatchKey(NamedTuple):
    """Names a batch: all that a worker process needs to make it."""

    epoch: int
    samples: tuple[int, ...]  # sample numbers within the epoch's plan; none for a batch of which nothing is asked


class EpochSampler(DistributedSampler[BatchKey], SequentialSampler):
    """Yields the keys of this process's batches; a pure function of (seed, epoch, processes, rank).

    *Training:* the epoch's samples are shuffled and dealt to ``len(self)`` steps, and each step to the processes; sizes
    differ by one at most within each, and no batch exceeds ``batch_size``. So every process has the same number of
    batches in every epoch, no sample is dropped or repeated (but see :func:`deal` for fewer samples than steps), and
    what step ``i`` of all processes together reads depends on ``processes * batch_size`` only. A process that a step
    has no sample for gets a key without samples, and takes part with a batch of which nothing is asked.

    *Evaluation:* the samples in the order of the videos, each process a contiguous share, none repeated. Only a process
    for which none is left reads the first one again, which the metrics count once: Lightning skips the epoch's end
    where a loader is empty, and the other processes would wait for ever.

    Each iteration of a training sampler that is not told its epoch by :meth:`set_epoch` is the epoch after the last
    one, so that a plain loop over a loader sees new orders, offsets and answers.

    It is a ``DistributedSampler`` and a ``SequentialSampler`` so that Lightning leaves it alone, whatever
    ``use_distributed_sampler`` and ``overfit_batches`` say.

    Args:
        dataset: what the keys are for.
        batch_size: most samples of a batch in one process.
        processes: number of processes ``W``.
        rank: of this process, 0 to W - 1.
        repeated: whether all epochs have the batches of epoch 0, to be learned by heart.
    """

    def __init__(
        self, dataset: WindowDataset, batch_size: int, processes: int = 1, rank: int = 0, repeated: bool = False
    ) -> None:
        super().__init__(dataset, num_replicas=processes, rank=rank, shuffle=dataset.training)
        self.repeated = repeated
        self.next = 0
        self.windows = dataset
        self.batch_size = batch_size
        self.processes = processes
        self.start = (-1, 0)

    def batches(self, epoch: int) -> list[IntArray]:
        """Sample numbers of each batch of this process in ``epoch``."""
        num_samples = len(self.windows.plan(epoch).video)
        if self.windows.training:
            order = shuffled(num_samples, self.windows.seed, epoch)
            return [np.array_split(step, self.processes)[self.rank] for step in deal(order, self.steps)]
        pieces = np.array_split(np.arange(num_samples), self.steps * self.processes)
        own = [piece for piece in pieces[self.rank * self.steps : (self.rank + 1) * self.steps] if len(piece)]
        return own or [np.arange(min(1, num_samples))]

    @property
    def steps(self) -> int:
        """Batches that a process has in any epoch (at most, in evaluation)."""
        return max(1, -(-self.windows.most_samples // (self.batch_size * self.processes)))

    def start_at(self, epoch: int, batches_done: int) -> None:
        """Skip the first ``batches_done`` batches when ``epoch`` is iterated: a stopped run goes on where it was."""
        self.start = (epoch, batches_done)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch to iterate; evaluation is the same in all of them."""
        self.epoch = self.next = epoch if self.windows.training else 0

    def __iter__(self) -> Iterator[BatchKey]:  # type: ignore[override]  # the sequential one promises integers
        """Yield the keys of the batches that are left of the epoch; the next iteration is the next epoch."""
        self.epoch = self.next
        self.next += self.windows.training
        (epoch, done), planned = self.start, 0 if self.repeated else self.epoch
        for batch in self.batches(planned)[done if epoch == self.epoch else 0 :]:
            yield BatchKey(planned, tuple(batch.tolist()))

    def __len__(self) -> int:
        """Batches of this process in a whole epoch."""
        return self.steps if self.windows.training else len(self.batches(0))

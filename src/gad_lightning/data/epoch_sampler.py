"""Which batches a process reads in an epoch, and in which order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import SequentialSampler
from torch.utils.data.distributed import DistributedSampler

from gad_lightning.data.dataset import WindowDataset
from gad_lightning.data.sampling import BatchKey, Stream, draws
from gad_lightning.data.windows import IntArray


class EpochSampler(DistributedSampler[BatchKey], SequentialSampler):
    """Yields the keys of this process's batches; a pure function of (seed, epoch, processes, rank).

    *Training:* the epoch's samples are shuffled and dealt to ``len(self)`` steps, and each step to the processes; sizes
    differ by one at most within each, and no batch exceeds ``batch_size``. So every process has the same number of
    batches in every epoch, no sample is dropped or repeated (but see ``_deal`` for fewer samples than steps), and
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
            order = _shuffled(num_samples, self.windows.seed, epoch)
            return [np.array_split(step, self.processes)[self.rank] for step in _deal(order, self.steps)]
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


def _deal(order: IntArray, num_batches: int) -> list[IntArray]:
    """Deal samples into batches whose sizes differ by one at most, in order, dropping and repeating none.

    Only where there are fewer samples than batches are the first ones repeated, so that no batch is empty.

    Example:
        >>> [batch.tolist() for batch in _deal(np.arange(7), 3)]
        [[0, 1, 2], [3, 4], [5, 6]]
    """
    if 0 < len(order) < num_batches:
        order = np.resize(order, num_batches)
    return np.array_split(order, num_batches)


def _shuffled(num_samples: int, seed: int, epoch: int) -> IntArray:
    """The order of an epoch: a permutation of ``num_samples``, the same in every process.

    Example:
        >>> _shuffled(5, seed=0, epoch=0).tolist() == _shuffled(5, seed=0, epoch=0).tolist()
        True
    """
    return np.argsort(draws(seed, epoch, Stream.ORDER, np.arange(num_samples)), kind="stable")

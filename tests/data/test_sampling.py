"""Order, sharding and random numbers as pure functions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gad_lightning.data.dataset import WindowDataset
from gad_lightning.data.epoch_sampler import EpochSampler, _deal, _shuffled
from gad_lightning.data.plans import Chunks, EveryQuery, Plans, StridedQueries
from gad_lightning.data.records import every_frame
from gad_lightning.data.sampling import Stream, draws
from gad_lightning.schema import Windows

LENGTHS = [23, 9, 8, 40]
TABLES = [every_frame(np.zeros(length, dtype=np.int64)) for length in LENGTHS]


def dataset(plans: Plans, training: bool) -> WindowDataset:
    return WindowDataset([], [], plans, Windows(), training=training)


def keys(plans: Plans, training: bool, batch_size: int, processes: int, epoch: int = 0) -> list[list[tuple[int, ...]]]:
    samplers = [EpochSampler(dataset(plans, training), batch_size, processes, rank) for rank in range(processes)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    listed = [[key.samples for key in sampler] for sampler in samplers]
    assert [len(batches) for batches in listed] == [len(sampler) for sampler in samplers]
    return listed


def test_draws_are_uniform_and_exact_in_float32() -> None:
    numbers = draws(7, 0, Stream.ANSWER, np.repeat(np.arange(100), 1000), np.tile(np.arange(1000), 100))
    assert 0 <= numbers.min() < numbers.max() < 1
    assert numbers.astype(np.float32).astype(np.float64).tolist() == numbers.tolist()
    shares = np.histogram(numbers, bins=10)[0] / len(numbers)
    assert np.abs(shares - 0.1).max() < 0.004
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.01


def test_draws_of_other_seeds_epochs_streams_and_queries_are_unrelated() -> None:
    rows = np.arange(10_000)
    base = draws(0, 0, Stream.ANSWER, rows * 0, rows)
    others = [
        draws(1, 0, Stream.ANSWER, rows * 0, rows),
        draws(0, 1, Stream.ANSWER, rows * 0, rows),
        draws(0, 0, Stream.ORDER, rows * 0, rows),
        draws(0, 0, Stream.ANSWER, rows * 0 + 1, rows),
    ]
    for other in others:
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.04


def test_a_draw_does_not_depend_on_what_is_drawn_beside_it() -> None:
    rows = np.arange(50)
    assert draws(3, 2, Stream.ANSWER, rows)[17] == draws(3, 2, Stream.ANSWER, np.array([17]))[0]


def test_the_numbers_are_the_same_on_every_machine() -> None:
    assert _shuffled(8, seed=0, epoch=0).tolist() == [3, 7, 6, 1, 5, 0, 4, 2]
    assert draws(0, 0, Stream.ANSWER, np.array([0]), np.array([1]))[0] == 7576149 / 2**24


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_training_gives_every_process_as_many_batches_and_every_sample_once(processes: int) -> None:
    for plans in (StridedQueries(TABLES, 0, 2), Chunks(TABLES, 0, LENGTHS, 4, training=True)):
        lengths = set()
        for epoch in range(10):
            listed = keys(plans, True, 3, processes, epoch)
            lengths |= {len(batches) for batches in listed}
            samples = [sample for batches in listed for batch in batches for sample in batch]
            assert sorted(samples) == list(range(len(plans.epoch(epoch).video)))
            assert max(len(batch) for batches in listed for batch in batches) <= 3
        assert len(lengths) == 1


@pytest.mark.parametrize("stride", [1, 3])
def test_training_step_by_step_reads_the_same_samples_whatever_the_number_of_processes(stride: int) -> None:
    plans = StridedQueries(TABLES, 0, stride)
    alone = keys(plans, True, 12, 1)[0]
    for processes in (2, 3, 4):
        dealt = keys(plans, True, 12 // processes, processes)
        assert [sum((batches[step] for batches in dealt), ()) for step in range(len(alone))] == alone


def test_order_differs_between_epochs() -> None:
    plans = StridedQueries(TABLES, 0, 1)
    assert keys(plans, True, 4, 1, 0) != keys(plans, True, 4, 1, 1)
    assert keys(plans, True, 4, 1, 1) == keys(plans, True, 4, 1, 1)


@pytest.mark.parametrize("processes", [1, 3, 7])
def test_evaluation_shards_without_repeats_in_order(processes: int) -> None:
    listed = keys(EveryQuery(TABLES, 0), False, 16, processes, epoch=4)
    assert [sample for batches in listed for batch in batches for sample in batch] == list(range(80))


def test_a_process_that_nothing_is_left_for_reads_the_first_sample_again() -> None:
    tiny = EveryQuery([every_frame(np.zeros(2, dtype=np.int64))], 0)
    assert [len(batches) for batches in keys(tiny, False, 4, 3)] == [1, 1, 1]


def test_a_process_that_a_step_has_no_sample_for_has_a_batch_nevertheless() -> None:
    assert Counter(np.concatenate(_deal(np.arange(3), 5)).tolist()) == {0: 2, 1: 2, 2: 1}
    tiny = StridedQueries([every_frame(np.zeros(2, dtype=np.int64))], 0, 2)
    assert keys(tiny, True, 4, 3) == [[(0,)], [()], [()]]


def test_a_stopped_epoch_goes_on_where_it_was() -> None:
    plans = StridedQueries(TABLES, 0, 1)
    whole = keys(plans, True, 4, 2, epoch=6)[1]
    sampler = EpochSampler(dataset(plans, True), 4, 2, 1)
    sampler.start_at(6, batches_done=3)
    sampler.set_epoch(6)
    assert [key.samples for key in sampler] == whole[3:]
    sampler.set_epoch(7)
    assert [key.samples for key in sampler] == keys(plans, True, 4, 2, epoch=7)[1]


def test_a_plain_loop_goes_through_the_epochs() -> None:
    plans = StridedQueries(TABLES, 0, 4)
    sampler = EpochSampler(dataset(plans, True), 4)
    seen = [[key.samples for key in sampler] for _ in range(3)]
    assert seen == [keys(plans, True, 4, 1, epoch)[0] for epoch in range(3)]
    sampler.set_epoch(7)
    assert [key.epoch for _ in range(2) for key in sampler] == [7] * len(sampler) + [8] * len(sampler)


def test_evaluation_is_the_same_however_often_it_is_read() -> None:
    sampler = EpochSampler(dataset(EveryQuery(TABLES, 0), False), 4)
    assert list(sampler) == list(sampler)


def test_repeated_batches_are_those_of_epoch_0() -> None:
    plans = StridedQueries(TABLES, 0, 4)
    sampler = EpochSampler(dataset(plans, True), 4, repeated=True)
    sampler.set_epoch(5)
    assert [key.epoch for key in sampler] == [0] * len(sampler)
    assert [key.samples for key in sampler] == keys(plans, True, 4, 1)[0]
    sampler.start_at(6, 2)
    sampler.set_epoch(6)
    assert [key.samples for key in sampler] == keys(plans, True, 4, 1)[0][2:]

"""Batches: the right frames, queries and keys, padded once."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from gad_lightning.data.arrays import ArrayFrames
from gad_lightning.data.collate import collate
from gad_lightning.data.dataset import WindowDataset, _clip_frames
from gad_lightning.data.plans import Chunks, EveryQuery, Plans, PublishedWindows, StridedQueries
from gad_lightning.data.records import Queries, VideoRecord, timeline
from gad_lightning.data.sampling import BatchKey
from gad_lightning.schema import LabelSet, Windows
from gad_lightning.segments import Segment

CLASSES = LabelSet(("background", "stir", "pour"), 0)


def video(name: str, num_frames: int, segments: list[Segment], queries: Queries | None = None) -> VideoRecord:
    """Frame ``i`` holds the number ``i``, so that a batch shows which frames it has."""
    numbers = np.arange(num_frames, dtype=np.float32).repeat(2).reshape(-1, 1, 2)
    return VideoRecord(name, ArrayFrames(numbers, fps=1.0), segments, goal=1, queries=queries)


RECORDS = [video("long", 10, [Segment(1, 2, 5), Segment(2, 7, 9)]), video("short", 3, [])]
TIMELINES = [timeline(record, CLASSES) for record in RECORDS]
QUERIES = [laid.queries for laid in TIMELINES]


def make(plans: Plans, windows: Windows, **how: bool) -> WindowDataset:
    return WindowDataset(RECORDS, TIMELINES, plans, windows, first_video=5, **how)


def test_a_window_batch_has_one_query_a_sample_at_its_last_frame() -> None:
    batch = make(EveryQuery(QUERIES, 0), Windows(short=3))[BatchKey(0, (0, 8, 10))]
    assert batch.frames.shape == (3, 3, 1, 2)
    assert batch.frames[:, :, 0, 0].tolist() == [[0, 0, 0], [6, 7, 8], [0, 0, 0]]
    assert batch.frame_counts.tolist() == [1, 3, 1]
    assert batch.first_frame.tolist() == [0, 6, 0]
    assert batch.anchor.tolist() == [0, 2, 0]
    assert batch.frame.tolist() == batch.query_index.tolist() == [0, 8, 0]
    assert batch.label.tolist() == [0, 2, 0]
    assert batch.video.tolist() == [5, 5, 6]
    assert batch.goal.tolist() == [1, 1, 1]


def test_every_batch_has_the_segments_of_the_whole_video_padded_with_minus_one() -> None:
    batch = make(EveryQuery(QUERIES, 0), Windows(short=3))[BatchKey(0, (0, 10))]
    assert batch.segments.tolist() == [[[1, 2, 5], [2, 7, 9]], [[-1] * 3, [-1] * 3]]


def test_a_batch_without_samples_has_frames_and_asks_nothing() -> None:
    batch = make(EveryQuery(QUERIES, 0), Windows(short=3), training=True)[BatchKey(0, ())]
    assert batch.frames.shape == (1, 1, 1, 2)
    assert len(batch.sample) == len(batch.label) == len(batch.uniform) == 0


def test_a_chunk_asks_at_its_new_frames_and_shows_context_before_them() -> None:
    batch = make(Chunks(QUERIES, 0, [10, 3], 4), Windows("one_pass", short=3, chunk=4))[BatchKey(0, (1, 2, 3))]
    assert batch.frames[:, :, 0, 0].tolist() == [[2, 3, 4, 5, 6, 7], [6, 7, 8, 9, 0, 0], [0, 1, 2, 0, 0, 0]]
    assert batch.sample.tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 2]
    assert batch.frame.tolist() == [4, 5, 6, 7, 8, 9, 0, 1, 2]
    assert (batch.anchor + batch.first_frame[batch.sample]).tolist() == batch.frame.tolist()
    assert batch.label.tolist() == [1, 0, 0, 2, 2, 0, 0, 0, 0]


@pytest.mark.parametrize("mode", ["window", "one_pass"])
def test_evaluation_asks_each_frame_exactly_once(mode: str) -> None:
    plans = EveryQuery(QUERIES, 0) if mode == "window" else Chunks(QUERIES, 0, [10, 3], 4)
    data = make(plans, Windows(mode, short=3, chunk=4))
    keys = [
        key for i in range(len(data)) for key in zip(data[i].video.tolist(), data[i].query_index.tolist(), strict=True)
    ]
    assert keys == [(5, frame) for frame in range(10)] + [(6, frame) for frame in range(3)]


def test_a_published_window_with_a_stride_may_lack_the_frame_it_is_asked_at() -> None:
    windows = Windows(short=4, short_stride=3)
    batch = make(EveryQuery(QUERIES, 0), windows, published=True)[5]
    assert batch.frames[0, :, 0, 0].tolist() == [2, 5]
    batch = make(EveryQuery(QUERIES, 0), windows, published=True)[2]
    assert batch.frames[0, :, 0, 0].tolist() == [0]
    assert (batch.anchor.tolist(), batch.frame.tolist()) == ([0], [2])
    rule = PublishedWindows(QUERIES, 0, 1, windows)
    training = make(rule, windows, training=True, published=True)
    for key in range(len(training)):
        batch = training[key]
        assert batch.frames[0, batch.anchor[0], 0, 0] == batch.frame[0]


def test_a_clip_shows_its_own_frames_only() -> None:
    asked = Queries(np.array([6, 9]), np.array([1, 2]), np.array([0, 1]), np.array([0, 1]), np.array([4, 0]))
    records = [video("clips", 10, [Segment(1, 4, 7)], asked)]
    laid = [timeline(records[0], CLASSES)]
    for plans in (EveryQuery([asked], 0), Chunks([asked], 0, [10], 4)):
        data = WindowDataset(records, laid, plans, Windows(short=4))
        assert data[0].frames[0, :, 0, 0].tolist() == [4, 5, 6]
        assert data[1].frames[0, :, 0, 0].tolist() == [0, 3, 6, 9]
        assert (data[1].task.tolist(), data[1].horizon.tolist(), data[1].query_index.tolist()) == ([1], [1], [1])


def test_multi_hot_labels_are_rows() -> None:
    several = np.zeros((10, 3), dtype=np.int64)
    several[1, 1:] = 1
    record = VideoRecord("v", RECORDS[0].frames, labels=several)
    laid = timeline(record, CLASSES._replace(multi_label=True))
    batch = WindowDataset([record], [laid], EveryQuery([laid.queries], 0), Windows())[BatchKey(0, (0, 1))]
    assert batch.label.tolist() == [[1, 0, 0], [0, 1, 1]]


def test_a_draw_belongs_to_the_query_and_the_epoch() -> None:
    windows = Windows("one_pass", short=3, chunk=4)
    chunks = make(Chunks(QUERIES, 0, [10, 3], 4, training=True), windows, training=True)
    drawn: dict[tuple[int, int], set[float]] = {}
    for epoch in range(3):
        for number in range(len(chunks.plan(epoch).video)):
            batch = chunks[BatchKey(epoch, (number,))]
            for ordinal, value in zip(batch.query_index.tolist(), batch.uniform.tolist(), strict=True):
                drawn.setdefault((int(batch.video[0]), ordinal), set()).add(value)
    assert all(len(values) == 3 for values in drawn.values())
    alone = make(StridedQueries(QUERIES, 0, 1), windows, training=True)
    batch = alone[BatchKey(1, (4,))]
    assert batch.uniform[0].item() in drawn[5, int(batch.query_index[0])]


def test_a_batch_does_not_depend_on_what_was_asked_before_for() -> None:
    data = make(StridedQueries(QUERIES, 0, 2), Windows(short=3), training=True)
    elsewhere = copy.deepcopy(data)
    data.plan(0)
    expected = data[BatchKey(2, (1, 3))]
    elsewhere[BatchKey(7, (0,))]
    for one, other in zip(expected, elsewhere[BatchKey(2, (1, 3))], strict=True):
        assert one is other is None or torch.equal(one, other)


def test_collating_more_samples_only_adds_padding() -> None:
    data = make(EveryQuery(QUERIES, 0), Windows(short=3))
    alone, beside = data[BatchKey(0, (0,))], data[BatchKey(0, (0, 9))]
    assert torch.equal(alone.frames[0], beside.frames[0, :1])
    assert beside.frames[0, 1:].abs().sum() == 0


def test_types_are_those_of_the_contract() -> None:
    batch = make(EveryQuery(QUERIES, 0), Windows(short=3))[0]
    assert batch.remembered is None, "a classifier says what it remembers"
    columns = {name: column for name, column in batch._asdict().items() if name != "remembered"}
    floats = {name for name, column in columns.items() if column.dtype == torch.float32}
    assert floats == {"frames", "uniform"}
    assert {column.dtype for name, column in columns.items() if name not in floats} == {torch.int64}


def test_nothing_to_collate_is_our_own_mistake() -> None:
    with pytest.raises((ValueError, IndexError)):
        collate([])


def test_a_short_clip_is_shown_whole_and_a_long_one_from_end_to_end() -> None:
    assert _clip_frames(3, 6, most=4).tolist() == [3, 4, 5, 6]
    assert _clip_frames(3, 103, most=3).tolist() == [3, 53, 103]

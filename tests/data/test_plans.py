"""Which samples an epoch has."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gad_lightning.data.plans import Chunks, EveryQuery, PublishedWindows, StridedQueries
from gad_lightning.data.records import Queries, every_frame
from gad_lightning.errors import SettingError
from gad_lightning.schema import LabelSet, Windows
from gad_lightning.types import IGNORED

LENGTHS = [23, 1, 8, 100]
TABLES = [every_frame(np.zeros(length, dtype=np.int64)) for length in LENGTHS]
CLASSES = LabelSet(("background", "stir", "pour"), 0)


def test_evaluation_asks_every_query_once() -> None:
    plan = EveryQuery(TABLES, seed=0).epoch(0)
    assert Counter(plan.video.tolist()) == dict(enumerate(LENGTHS))
    assert (plan.end == plan.row + 1).all()


def test_training_takes_every_strideth_frame_and_over_the_epochs_every_frame() -> None:
    rule = StridedQueries(TABLES, seed=0, stride=8)
    seen: set[tuple[int, int]] = set()
    for epoch in range(200):
        plan = rule.epoch(epoch)
        assert len(plan.video) <= rule.most
        assert set(plan.video) == set(range(len(LENGTHS)))
        for video in range(len(LENGTHS)):
            assert (np.diff(plan.row[plan.video == video]) == 8).all()
        seen |= set(zip(plan.video.tolist(), plan.row.tolist(), strict=True))
    assert seen == {(video, frame) for video, length in enumerate(LENGTHS) for frame in range(length)}


def test_every_frame_of_a_long_video_has_the_same_chance() -> None:
    rule = StridedQueries([every_frame(np.zeros(30, dtype=np.int64))], seed=3, stride=7)
    counts = Counter(row for epoch in range(7000) for row in rule.epoch(epoch).row.tolist())
    assert min(counts.values()) > 850
    assert max(counts.values()) < 1150


def test_an_epoch_depends_on_seed_and_epoch_alone() -> None:
    one, other = (StridedQueries(TABLES, seed=5, stride=8) for _ in range(2))
    one.epoch(0)
    assert all((a == b).all() for a, b in zip(one.epoch(3), other.epoch(3), strict=True))
    rows = {
        (seed, epoch): StridedQueries(TABLES, seed, 8).epoch(epoch).row.tolist() for seed in (0, 1) for epoch in (0, 1)
    }
    assert len({str(value) for value in rows.values()}) == 4


def test_ignored_queries_are_not_drawn_in_training() -> None:
    labels = np.array([IGNORED, 1, IGNORED, 2])
    drawn = {
        row for epoch in range(20) for row in StridedQueries([every_frame(labels)], 0, 2).epoch(epoch).row.tolist()
    }
    assert drawn == {1, 3}


def test_background_is_thinned_to_a_multiple_of_the_most_frequent_class() -> None:
    labels = np.array([0] * 90 + [1] * 10 + [2] * 4)
    rule = StridedQueries([every_frame(labels)], seed=0, stride=1, background_limit=2.0, classes=CLASSES)
    first, second = (rule.epoch(epoch).row for epoch in (0, 1))
    assert Counter(labels[first].tolist()) == {0: 20, 1: 10, 2: 4}
    assert rule.most == 34
    assert set(first.tolist()) != set(second.tolist())


def published_rule() -> PublishedWindows:
    return PublishedWindows(TABLES, 0, 4, Windows(short=8, long=4), classes=CLASSES)


def test_published_offsets_are_drawn_below_the_short_memory_and_the_last_frame_is_never_a_target() -> None:
    rule = published_rule()
    offsets = np.array([rule.offsets(epoch) for epoch in range(100)])
    assert offsets.max() == 7
    last = np.array(LENGTHS) - 1
    for epoch in range(100):
        plan = rule.from_offsets(offsets[epoch])
        assert (plan.row < np.maximum(last[plan.video], 1)).all()


def test_later_published_epochs_are_cut_or_repeated_to_the_length_of_the_first() -> None:
    rule = published_rule()
    assert {len(rule.epoch(epoch).video) for epoch in range(30)} == {rule.most}
    whole = {epoch: rule.from_offsets(rule.offsets(epoch)) for epoch in range(30)}
    longer = next(epoch for epoch, plan in whole.items() if len(plan.row) < rule.most)
    assert rule.epoch(longer).row[-1] == whole[longer].row[rule.most - len(whole[longer].row) - 1]


def test_published_background_windows_are_thinned() -> None:
    labels = np.array([0] * 80 + [1] * 20)
    rule = PublishedWindows([every_frame(labels)], 0, 1, Windows(short=1), 1.5, CLASSES)
    counts = Counter(labels[rule.epoch(0).row].tolist())
    assert counts[0] == round(1.5 * counts[1])


def test_the_published_rule_asks_once_a_frame() -> None:
    asked = every_frame(np.zeros(4, dtype=np.int64))._replace(anchor=np.array([0, 2, 2, 3]))
    with pytest.raises(SettingError, match="once a frame"):
        PublishedWindows([asked], 0, 4, Windows())


def test_evaluation_chunks_cover_every_frame_once_from_frame_0() -> None:
    plan = Chunks(TABLES, 0, LENGTHS, chunk=8, training=False).epoch(0)
    assert plan.start[plan.video == 0].tolist() == [0, 8, 16]
    assert plan.end[plan.video == 3].tolist() == [*range(8, 100, 8), 100]


def test_training_shifts_the_chunk_grid_so_that_seams_fall_anywhere() -> None:
    rule = Chunks(TABLES, 0, LENGTHS, chunk=8, training=True)
    seams = set()
    for epoch in range(200):
        plan = rule.epoch(epoch)
        assert len(plan.video) <= rule.most
        assert (plan.end - plan.start).sum() == sum(LENGTHS)
        assert (plan.end - plan.start).max() <= 8
        seams |= set(plan.start[plan.video == 3].tolist())
    assert seams == set(range(100))


def test_a_clip_beside_chunks_is_a_sample_of_its_own() -> None:
    clips = Queries(
        anchor=np.array([9, 30]),
        label=np.array([1, 2]),
        task=np.array([0, 1]),
        horizon=np.array([0, 0]),
        first=np.array([4, 0]),
    )
    plan = Chunks([clips, TABLES[2]], 0, [40, 8], chunk=8, training=False).epoch(0)
    assert plan.video.tolist() == [0, 0, 1]
    assert plan.row.tolist() == [0, 1, -1]
    assert plan.end.tolist() == [10, 31, 8]

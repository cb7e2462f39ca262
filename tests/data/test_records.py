"""From annotations to frame labels, segments and queries."""

from __future__ import annotations

import numpy as np
import pytest

from gad_lightning.data.arrays import ArrayFrames
from gad_lightning.data.records import Queries, VideoRecord, timeline
from gad_lightning.errors import DataError
from gad_lightning.schema import LabelSet
from gad_lightning.segments import Segment
from gad_lightning.types import IGNORED

CLASSES = LabelSet(("background", "stir", "pour", "unclear"), background=0, ignore=3)
TEN = ArrayFrames(np.zeros((10, 2), dtype=np.float32), fps=1.0)


def test_segments_are_painted_over_background() -> None:
    laid = timeline(VideoRecord("v", TEN, [Segment(1, 2, 4), Segment(2, 6, 9)]), CLASSES)
    assert laid.queries.label.tolist() == [0, 0, 1, 1, 0, 0, 2, 2, 2, 0]
    assert laid.queries.anchor.tolist() == list(range(10))
    assert laid.segments.tolist() == [[1, 2, 4], [2, 6, 9]]


def test_where_segments_overlap_the_later_of_the_list_wins_and_segments_agree_with_labels() -> None:
    laid = timeline(VideoRecord("v", TEN, [Segment(1, 1, 8), Segment(2, 3, 5)]), CLASSES)
    assert laid.queries.label.tolist() == [0, 1, 1, 2, 2, 1, 1, 1, 0, 0]
    assert laid.segments.tolist() == [[1, 1, 3], [2, 3, 5], [1, 5, 8]]


def test_neighbors_of_one_class_stay_two_segments() -> None:
    laid = timeline(VideoRecord("v", TEN, [Segment(1, 1, 3), Segment(1, 3, 5)]), CLASSES)
    assert laid.segments.tolist() == [[1, 1, 3], [1, 3, 5]]


def test_ignored_frames_and_classes_are_scored_nowhere() -> None:
    laid = timeline(VideoRecord("v", TEN, [Segment(IGNORED, 0, 3), Segment(3, 3, 5), Segment(1, 5, 10)]), CLASSES)
    assert laid.queries.label.tolist() == [IGNORED] * 5 + [1] * 5
    assert laid.segments.tolist() == [[1, 5, 10]]


def test_without_a_background_class_unlabeled_frames_are_ignored() -> None:
    laid = timeline(VideoRecord("v", TEN, [Segment(0, 2, 10)]), LabelSet(("stir", "pour")))
    assert laid.queries.label.tolist() == [IGNORED, IGNORED] + [0] * 8
    assert laid.segments.tolist() == [[0, 2, 10]]


def test_given_frame_labels_are_cut_into_segments() -> None:
    laid = timeline(VideoRecord("v", TEN, labels=np.array([0, 1, 1, 2, 2, 3, 0, 1, 1, 1])), CLASSES)
    assert laid.segments.tolist() == [[1, 1, 3], [2, 3, 5], [1, 7, 10]]
    assert laid.queries.label[5] == IGNORED


def test_a_frame_of_several_classes_has_the_lowest_or_all_of_them() -> None:
    several = np.zeros((10, 4), dtype=np.int64)
    several[2:5, 1], several[4:8, 2], several[7, 3] = 1, 1, 1
    one = timeline(VideoRecord("v", TEN, labels=several), LabelSet(CLASSES.names, 0))
    assert one.queries.label.tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 0, 0]
    many = timeline(VideoRecord("v", TEN, labels=several), CLASSES._replace(multi_label=True))
    assert many.queries.label.dtype == np.float32
    assert many.queries.label[4].tolist() == [0, 1, 1, 0]
    assert many.queries.label[7].tolist() == [IGNORED] * 4
    assert many.queries.label[9].tolist() == [1, 0, 0, 0]
    assert many.segments.tolist() == [[1, 2, 5], [2, 5, 7]]


@pytest.mark.parametrize("background", [0, 2, None])
def test_the_background_is_where_no_other_class_is_whatever_its_column_says(background: int | None) -> None:
    rows = np.zeros((10, 3), dtype=np.bool_)
    rows[:4, 1] = True
    if background is not None:
        rows[2:, background] = True
    laid = timeline(VideoRecord("v", TEN, labels=rows), LabelSet(("a", "b", "c"), background, multi_label=True))
    wanted = np.zeros((10, 3), dtype=np.float32)
    wanted[:4, 1] = 1
    if background is not None:
        wanted[4:, background] = 1
    assert np.array_equal(laid.queries.label, wanted)


@pytest.mark.parametrize("value", [0.5, -1.0, 255.0, np.nan])
def test_labels_of_several_classes_that_are_no_yes_or_no_are_refused(value: float) -> None:
    rows = np.zeros((10, 4))
    rows[6, 1] = value
    with pytest.raises(DataError, match=r"'v' has the labels .* at frame 6: where several can be true each is 0 or 1"):
        timeline(VideoRecord("v", TEN, labels=rows), CLASSES._replace(multi_label=True))
    rows[6] = IGNORED
    laid = timeline(VideoRecord("v", TEN, labels=rows), CLASSES._replace(multi_label=True))
    assert laid.queries.label[6].tolist() == [IGNORED] * 4


def test_own_queries_replace_those_of_every_frame() -> None:
    asked = Queries(np.array([4]), np.array([2]), np.array([0]), np.array([1]), np.array([2]))
    assert timeline(VideoRecord("v", TEN, [Segment(1, 2, 5)], queries=asked), CLASSES).queries is asked


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (VideoRecord("v", TEN, labels=np.zeros(9, dtype=np.int64)), "'v' has 9 frame labels and 10 frames"),
        (VideoRecord("v", TEN, [Segment(7, 0, 2)]), "'v' has 7 as a label, and there are 4 classes"),
        (VideoRecord("v", TEN, labels=np.full(10, -1)), "'v' has -1 as a label"),
    ],
)
def test_annotations_that_do_not_fit_are_refused(record: VideoRecord, message: str) -> None:
    with pytest.raises(DataError, match=message):
        timeline(record, CLASSES)


def test_multi_hot_labels_of_another_class_list_are_refused() -> None:
    with pytest.raises(DataError, match="'v' has 5 columns of labels, and there are 4 classes"):
        timeline(VideoRecord("v", TEN, labels=np.zeros((10, 5))), CLASSES._replace(multi_label=True))

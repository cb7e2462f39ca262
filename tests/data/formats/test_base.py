"""What formats share: names of videos, rules, what a run would complain of."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.data.formats.base import Annotation, Reading, Rules, merged, video_name, warnings_of


@pytest.mark.parametrize(
    ("media", "name"),
    [
        ("kitchen.mp4", "kitchen"),
        ("C:\\films\\kitchen.MP4", "kitchen"),
        ("https://host/x/kitchen%2001.mp4?token=a/b", "kitchen 01"),
        ("/data/upload/1/0badcafe-kitchen.mp4", "kitchen"),
        ("/films/0badcafe-kitchen.mp4", "0badcafe-kitchen"),
        ("/data/local-files/?d=day%201/kitchen.mov", "kitchen"),
        ("cook.v2", "cook.v2"),
        (".mp4", ".mp4"),
        ("100%.mp4", "100%"),
    ],
)
def test_a_video_is_named_as_its_file_is(media: str, name: str) -> None:
    assert video_name(media) == name


def test_labels_can_be_chosen_and_the_others_are_counted() -> None:
    reading = Reading(Path("x.csv"), Rules(labels=("stir",)))
    reading.add("a.mp4", 0, 1, "stir", "line 2")
    reading.add("a.mp4", 1, 2, "pour", "line 3")
    assert [one.label for one in reading.annotations] == ["stir"]
    assert reading.left_out == {"a label that --labels does not name": ["line 3"]}


def test_what_begins_before_the_video_begins_with_it() -> None:
    reading = Reading(Path("x.csv"), Rules())
    reading.add("a", -1, 2, "stir", "line 2")
    assert reading.annotations[0].start == 0.0
    assert reading.said == ["what begins before the video begins at 0 s"]


def test_merging_keeps_the_order_of_the_first_ones() -> None:
    found = [Annotation("a", 5, 6, "stir"), Annotation("a", 0, 2, "stir"), Annotation("a", 1, 3, "stir")]
    assert [one[1:3] for one in merged(found)] == [(5, 6), (0, 3)]


def test_labels_that_look_alike_and_overlaps_are_told() -> None:
    found = [Annotation("a", 0, 2, "stir"), Annotation("a", 1, 3, "Stir"), Annotation("b", 1, 3, "pour")]
    first, second = warnings_of(found)
    assert "'stir' and 'Stir' differ by" in first
    assert second.startswith("1 stretches begin inside one of another label")

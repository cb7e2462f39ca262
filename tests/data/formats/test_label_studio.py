"""Label Studio's JSON in its forms: timelines, rectangles, sound, the short form, several annotators."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.data.formats.base import Annotation, LabeledVideo, Rules
from gad_lightning.data.formats.label_studio import FORMAT
from tests.data.formats.reading import read_file, rows

MEDIA = "/data/upload/2/1a2b3c4d-kitchen_01.mp4"


def region(first: int, last: int, label: str) -> dict[str, object]:
    """A region of a timeline."""
    span = {"ranges": [{"start": first, "end": last}], "timelinelabels": [label]}
    return {"type": "timelinelabels", "from_name": "steps", "value": span}


def task(*results: object, **data: object) -> list[dict[str, object]]:
    """A file of one task."""
    return [{"id": 7, "data": {"video": MEDIA, **data}, "annotations": [{"result": list(results)}]}]


def test_frames_begin_at_1_and_the_last_one_counts_and_24_a_second_are_said_aloud(tmp_path: Path) -> None:
    found = read_file(tmp_path, "a.json", task(region(1, 24, "stir"), region(25, 25, "pour")))
    times = [(one.video, one.start, one.end) for one in found.reading.annotations]
    assert times == [("kitchen_01", 0.0, 1.0), ("kitchen_01", 1.0, pytest.approx(25 / 24))]
    assert any("frames counted at 24 a second" in line and "--fps" in line for line in found.lines)


@pytest.mark.parametrize(
    ("rules", "data", "end"), [(Rules(fps=10), {}, 3.0), (Rules(), {"fps": 15}, 2.0), (Rules(fps=10), {"fps": 15}, 3.0)]
)
def test_the_rate_is_as_given_or_of_the_task(rules: Rules, data: dict[str, object], end: float, tmp_path: Path) -> None:
    assert rows(tmp_path, "a.json", task(region(1, 30, "stir"), **data), rules)[0][1:3] == (0.0, end)


def test_rectangles_count_from_where_they_appear_to_where_they_are_switched_off(tmp_path: Path) -> None:
    sequence = [
        {"frame": 11, "enabled": True},
        {"frame": 20, "enabled": False},
        {"frame": 41, "enabled": True},
    ]
    value = {"framesCount": 50, "duration": 5.0, "sequence": sequence, "labels": ["cup"]}
    found = rows(tmp_path, "a.json", task({"type": "videorectangle", "value": value}))
    assert found == [("kitchen_01", 1.0, 2.0, "cup"), ("kitchen_01", 4.0, 5.0, "cup")]


def test_stretches_of_sound_are_in_seconds(tmp_path: Path) -> None:
    value = {"start": 0.5, "end": 2.25, "labels": ["whistle", "bell"]}
    found = rows(tmp_path, "a.json", task({"type": "labels", "value": value}))
    assert found == [("kitchen_01", 0.5, 2.25, "whistle"), ("kitchen_01", 0.5, 2.25, "bell")]


def test_the_short_form_and_the_form_of_storages_are_read(tmp_path: Path) -> None:
    short = [{"id": 1, "video": MEDIA, "steps": [{"ranges": [{"start": 1, "end": 48}], "timelinelabels": ["stir"]}]}]
    stored = {"id": 3, "result": [region(1, 48, "stir")], "task": {"data": {"video": MEDIA}}}
    expected = [("kitchen_01", 0.0, 2.0, "stir")]
    assert rows(tmp_path, "short.json", short) == expected
    assert rows(tmp_path, "stored.json", stored) == expected


def test_of_several_annotators_the_newest_counts_and_the_others_are_told(tmp_path: Path) -> None:
    made = [
        {"updated_at": "2026-01-02", "result": [region(1, 24, "stir")]},
        {"updated_at": "2026-03-01", "result": [region(1, 24, "pour")], "was_cancelled": True},
        {"updated_at": "2026-01-01", "result": [region(1, 24, "salt")]},
    ]
    found = read_file(tmp_path, "a.json", [{"id": 7, "data": {"video": MEDIA}, "annotations": made}])
    assert [one.label for one in found.reading.annotations] == ["stir"]
    assert list(found.reading.left_out) == ["an annotation that was canceled", "an older annotation of the same task"]


def test_controls_can_be_chosen(tmp_path: Path) -> None:
    other = {**region(1, 24, "left"), "from_name": "hands"}
    found = read_file(tmp_path, "a.json", task(region(1, 24, "stir"), other), Rules(tiers=("steps",)))
    assert [one.label for one in found.reading.annotations] == ["stir"]
    assert found.reading.left_out == {"a control that --tiers does not name": ["task 7, hands"]}


def test_what_a_classifier_found_is_a_prediction_that_becomes_an_annotation_when_it_is_accepted(tmp_path: Path) -> None:
    import json

    video = LabeledVideo("kitchen_01", (Annotation("kitchen_01", 1.0, 2.0, "stir", 0.8),), 8.0, "kitchen_01.mp4")
    (made,) = json.loads(FORMAT.write([video]))
    assert made["predictions"][0]["result"][0]["score"] == 0.8
    assert "annotations" not in made
    accepted = {"data": made["data"], "annotations": [{"result": made["predictions"][0]["result"]}]}
    assert rows(tmp_path, "a.json", [accepted]) == [("kitchen_01", 1.0, 2.0, "stir")]

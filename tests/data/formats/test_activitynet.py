"""ActivityNet's JSON and its relatives: databases, results, subsets."""

from __future__ import annotations

import json
from pathlib import Path

from gad_lightning.data.formats.activitynet import FORMAT
from gad_lightning.data.formats.base import Annotation, LabeledVideo
from tests.data.formats.reading import read_file, rows

ONE = {"segment": [1.5, 4], "label": "stir", "label_id": 3}


def test_a_database_is_read_with_its_subsets_as_splits(tmp_path: Path) -> None:
    database = {"a": {"subset": "Validation", "annotations": [ONE]}, "b": {"subset": "extra", "annotations": [ONE]}}
    found = read_file(tmp_path, "x.json", {"version": "1.3", "taxonomy": [], "database": database})
    assert [one[:4] for one in found.reading.annotations] == [("a", 1.5, 4.0, "stir"), ("b", 1.5, 4.0, "stir")]
    assert found.reading.splits == {"a": "val"}
    assert found.reading.said == ["the subset 'extra' is no split, and its videos are for training"]


def test_results_of_a_detector_are_read_with_their_scores(tmp_path: Path) -> None:
    found = read_file(tmp_path, "x.json", {"results": {"a": [{**ONE, "score": 0.25}]}})
    assert found.reading.annotations[0][:5] == ("a", 1.5, 4.0, "stir", 0.25)


def test_a_label_can_be_a_number(tmp_path: Path) -> None:
    database = {"a": {"annotations": [{"segment": [0, 1], "label": 3}]}}
    assert rows(tmp_path, "x.json", {"database": database}) == [("a", 0.0, 1.0, "3")]


def test_what_a_classifier_found_becomes_results() -> None:
    made = json.loads(FORMAT.write([LabeledVideo("a", (Annotation("a", 1.0, 2.0, "stir", 0.5),), 4.0)]))
    assert made["results"] == {"a": [{"segment": [1.0, 2.0], "label": "stir", "score": 0.5}]}

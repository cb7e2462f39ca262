"""Annotation files beside those the data modules read: they open, and hold what is said of them."""

from __future__ import annotations

from pathlib import Path

from gad_lightning.data.benchmarks.annotation_files import read_json


def test_the_part_of_multithumos_that_is_there(shared: Path) -> None:
    """20 videos; MultiTHUMOS has 65 classes, and 31 of them occur in these."""
    database = read_json(shared / "data/annotations/thumos14/multithumos_anno.json.gz")["database"]
    segments = [segment for video in database.values() for segment in video["annotations"]]
    assert (len(database), len(segments), len({segment["label"] for segment in segments})) == (20, 703, 31)
    assert all(0 <= start < end for start, end in (segment["segment"] for segment in segments))


def test_every_json_file_of_annotations_is_read(shared: Path) -> None:
    files = sorted((shared / "data/annotations").rglob("*.json*"))
    assert len(files) == 12
    assert all(read_json(path) for path in files)

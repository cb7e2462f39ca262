"""Own data whose labels are in annotation files of other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gad_lightning.errors import DataError
from tests.data.own_folder import labels, own, write_own


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five videos of 10 frames at 2 a second, e without a segment."""
    return write_own(tmp_path)


def test_annotation_files_of_other_tools_take_the_place_of_segments_csv(root: Path) -> None:
    (root / "segments.csv").unlink()
    (root / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nstir\n", encoding="utf-8")
    database: dict[str, Any] = {name: {"annotations": [{"segment": [1, 2], "label": "pour"}]} for name in "bcd"}
    database["b"]["annotations"] += [{"segment": [3, 3], "label": "pour"}]
    (root / "x.json").write_text(json.dumps({"database": database}), encoding="utf-8")
    data = own(root, annotations=["a.srt", "x.json"])
    with pytest.warns(UserWarning, match=r"x\.json: left out 1 x an instant without length.*, first b, annotation 2\."):
        assert data.class_names == ["background", "pour", "stir"]
    assert labels(data, "train") == [0, 0, 2, 2, 0, 0, 0, 0, 0, 0]
    assert labels(data, "test") == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0]


def test_splits_that_annotations_state_are_used_where_there_is_no_videos_csv(root: Path) -> None:
    (root / "videos.csv").unlink()
    database: dict[str, Any] = {name: {"annotations": [{"segment": [1, 2], "label": f"step {name}"}]} for name in "abc"}
    database["c"]["subset"] = "testing"
    (root / "x.json").write_text(json.dumps({"database": database}), encoding="utf-8")
    data = own(root, annotations="x.json", val_fraction=0)
    assert [record.name for record in data.videos("train")] == ["a", "b"]
    assert [record.name for record in data.videos("test")] == ["c"]


def test_a_label_of_an_annotation_file_that_is_no_class_is_named_with_its_place(root: Path) -> None:
    (root / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nstirr\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.srt, line 2: the label 'stirr' is not among.*\n.*did you mean 'stir'"):
        own(root, annotations="a.srt", class_names=["background", "stir"]).dataset("train")

"""The prediction writer: what it leaves, and processes that share a folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from lightning import Trainer

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.predictions import PredictionWriter, _load_part, _save_part
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import MissingDataError
from gad_lightning.results.rows import QueryColumns, joined


def columns(labels: list[int]) -> QueryColumns:
    """What was predicted of one video."""
    rows, same = np.arange(len(labels)), np.zeros(len(labels), np.int64)
    return QueryColumns(same, rows, same, rows, np.array(labels), same.astype(np.float32), same)


def test_parts_of_processes_come_back_from_disk(tmp_path: Path) -> None:
    _save_part(tmp_path / "parts" / "0.npz", [columns([1, 2])])
    _save_part(tmp_path / "parts" / "1.npz", [])  # a process that had no video
    parts = [_load_part(tmp_path / "parts" / f"{rank}.npz") for rank in range(2)]
    assert np.array_equal(joined(parts).label, [1, 2])


def test_a_part_that_another_disk_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"1\.npz.*\n.*a folder that all processes share"):
        _load_part(tmp_path / "1.npz")


def test_predict_writes_frames_and_segments_of_every_test_video(tmp_path: Path) -> None:
    data = ToyActions(num_videos=4)
    classifier = DiscriminativeClassifier(backbone=TinyBackbone(hidden_size=16, num_layers=1), schema=data.schema)
    trainer = Trainer(
        accelerator="cpu", logger=False, callbacks=[PredictionWriter(tmp_path)], enable_progress_bar=False
    )
    trainer.predict(classifier, data, return_predictions=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "about.json",
        "frames.csv",
        "frames.json",
        "segments.csv",
        "segments.json",
    ]
    with (tmp_path / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (video,) = data.videos("test")
    assert [int(row["frame"]) for row in rows] == list(range(video.frames.num_frames))
    assert {row["video"] for row in rows} == {video.name}
    truth = [row["truth"] for row in rows]
    for segment in video.segments:
        assert set(truth[segment.start : segment.end]) == {data.class_names[segment.label]}
    stored = json.loads((tmp_path / "frames.json").read_text())
    assert [row["label"] for row in stored] == [row["label"] for row in rows]

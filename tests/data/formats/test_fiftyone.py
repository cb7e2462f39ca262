"""FiftyOne: detections by time or by frame, classes by name or by number."""

from __future__ import annotations

from pathlib import Path

from gad_lightning.data.formats.base import Rules
from tests.data.formats.reading import rows


def test_times_and_frames_are_read_and_frames_begin_at_1(tmp_path: Path) -> None:
    labels = {"a": [{"label": 1, "timestamps": [0.5, 1]}, {"label": "stir", "support": [1, 30], "confidence": 0.5}]}
    found = rows(tmp_path, "x.json", {"classes": ["stir", "pour"], "labels": labels}, Rules(fps=30))
    assert found == [("a", 0.5, 1.0, "pour"), ("a", 0.0, 1.0, "stir")]


def test_samples_are_read_with_their_own_rate(tmp_path: Path) -> None:
    field = {"_cls": "TemporalDetections", "detections": [{"label": "stir", "support": [11, 20]}]}
    boxes = {"_cls": "Detections", "detections": [{"label": "cup", "bounding_box": [0, 0, 1, 1]}]}
    sample = {"filepath": "/x/a.mp4", "metadata": {"frame_rate": 10}, "events": field, "boxes": boxes}
    assert rows(tmp_path, "x.json", {"samples": [sample]}) == [("a", 1.0, 2.0, "stir")]

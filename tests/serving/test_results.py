"""Results as tables and subtitles hold what users named, and nothing that a program would obey."""

from __future__ import annotations

import csv
import io
import json

import torch

from gad_lightning.classifiers.detection import Detection, Stretch
from gad_lightning.serving.results import as_csv, as_json, as_vtt

FOUND = Detection(
    ["a", "=1+1"],
    [0.0, 0.5],
    torch.tensor([[0.9, 0.1], [0.2, 0.8]]).log(),
    [Stretch("a --> b\n<i>&", 3600.25, 3661.5, 0.75, ("a",)), Stretch("=1+1", 0.0, 0.5, 0.9)],
)


def test_json_holds_every_frame() -> None:
    told = json.loads(as_json(FOUND, ("a", "=1+1")))
    assert told["probabilities"] == [[0.9, 0.1], [0.2, 0.8]]
    assert told["segments"][1]["label"] == "=1+1"


def test_a_spreadsheet_computes_nothing() -> None:
    rows = list(csv.reader(io.StringIO(as_csv(FOUND))))
    assert rows[2] == ["'=1+1", "0.000", "0.500", "0.9000"]
    assert rows[1][0] == "a --> b\n<i>&"


def test_subtitles_are_in_time_order_and_their_text_is_only_text() -> None:
    text = as_vtt(FOUND)
    assert text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:00.500\n=1+1\n")
    assert "01:00:00.250 --> 01:01:01.500\na --&gt; b &lt;i&gt;&amp;\n" in text

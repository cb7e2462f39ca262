"""The windows of the paper's public code, as stored in ../shared/golden/windows_public."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gad_lightning.data.plans import PublishedWindows
from gad_lightning.data.records import every_frame
from gad_lightning.data.windows import window_frames
from gad_lightning.schema import Windows

FILES = [
    f"{kind}_{data}_{part}"
    for kind in ("gen", "disc", "gad")
    for data in ("crosstask", "thumos")
    for part in ("train", "test")
]


def golden(shared: Path, name: str) -> dict[str, Any]:
    return json.loads((shared / "golden" / "windows_public" / f"{name}.json").read_text())


@pytest.mark.parametrize("name", FILES)
def test_stored_offsets_give_the_stored_windows_and_labels(shared: Path, name: str) -> None:
    case = golden(shared, name)
    names = sorted({label for labels in case["frame_labels"].values() for label in labels}, key=str)
    videos = list(case["offsets_drawn_per_video"])
    tables = [every_frame(np.array([names.index(label) for label in case["frame_labels"][video]])) for video in videos]
    windows = Windows(short=case["short_len"], long=case["long_len"])
    rule = PublishedWindows(tables, seed=0, stride=case["stride"], windows=windows)
    plan = rule.from_offsets(list(case["offsets_drawn_per_video"].values()))
    ours = [
        (videos[video], window_frames(end, windows, published=True).tolist(), names[tables[video].label[row]])
        for video, row, end in zip(plan.video, plan.row, plan.end, strict=True)
    ]
    assert ours == [(window["video"], window["frame_indices"], window["label"]) for window in case["windows"]]


def test_inference_windows_are_the_stored_ones_strides_included(shared: Path) -> None:
    cases = golden(shared, "inference_windows")["cases"]
    assert len(cases) == 288
    for case in cases:
        windows = Windows("window", case["short_len"], case["long_len"], case["short_sr"], case["long_sr"])
        assert window_frames(case["frame"] + 1, windows, published=True).tolist() == case["long"] + case["short"]


def test_without_strides_the_correct_windows_are_the_published_ones(shared: Path) -> None:
    for case in golden(shared, "inference_windows")["cases"]:
        if case["short_sr"] == case["long_sr"] == 1:
            windows = Windows(short=case["short_len"], long=case["long_len"])
            assert window_frames(case["frame"] + 1, windows).tolist() == case["long"] + case["short"]

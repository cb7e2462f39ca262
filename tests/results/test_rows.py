"""Rows of frames and segments, their order, and repeats."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gad_lightning.results.rows import columns_of, frame_rows, joined, segment_rows
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from gad_lightning.types import IGNORED, Predictions

LABELS = LabelSet(("background", "add salt", "stir"), 0)
SCHEMA = DataSchema((Task("action", LABELS),), features=FeatureSpec(fps=2.0))


def said(labels: list[int], frame: list[int] | None = None, video: int = 0, task: int = 0) -> Predictions:
    """Predictions of one video, each with probability 0.8, true labels unknown."""
    chosen = torch.tensor(labels)
    frames = torch.arange(len(labels)) if frame is None else torch.tensor(frame)
    scores = torch.full((len(labels), 3), 0.1).scatter(1, chosen.unsqueeze(1), 0.8).log()
    same = torch.zeros_like(chosen)
    return Predictions(
        same + video, frames, same + task, frames, same + IGNORED, scores, scores, torch.zeros(len(labels), 4)
    )


def spans(predictions: Predictions, schema: DataSchema = SCHEMA) -> list[tuple[object, ...]]:
    """Label, first and last frame, and times of the segments."""
    rows = list(segment_rows(columns_of(predictions), schema, None))
    names = ("label", "start_frame", "end_frame", "start_seconds", "end_seconds")
    return [tuple(row[name] for name in names) for row in rows]


@pytest.mark.parametrize(
    ("predictions", "expected"),
    [
        pytest.param(said([0, 1, 1, 2]), [("add salt", 1, 3, 0.5, 1.5), ("stir", 3, 4, 1.5, 2.0)], id="two segments"),
        pytest.param(said([0, 0]), [], id="background is no segment"),
        pytest.param(
            said([1, 1], frame=[0, 5]),
            [("add salt", 0, 1, 0.0, 0.5), ("add salt", 5, 6, 2.5, 3.0)],
            id="a gap between frames ends a segment",
        ),
        pytest.param(said([2, 1], frame=[4, 3]), [("add salt", 3, 4, 1.5, 2.0), ("stir", 4, 5, 2.0, 2.5)], id="order"),
    ],
)
def test_segments(predictions: Predictions, expected: list[tuple[object, ...]]) -> None:
    assert spans(predictions) == expected


def test_a_task_that_is_asked_once_a_clip_has_no_segments() -> None:
    schema = SCHEMA._replace(tasks=(Task("step", LABELS, per_frame=False),))
    assert spans(said([1, 1]), schema) == []


def test_repeated_keys_count_once_and_rows_are_ordered() -> None:
    parts = [columns_of(said([1], video=1)), columns_of(said([2, 1])), columns_of(said([1], video=1))]
    rows = list(frame_rows(joined(parts), SCHEMA, ["tea", "soup"]))
    assert [(row["video"], row["frame"], row["label"], row["score"], row["truth"]) for row in rows] == [
        ("tea", 0, "stir", 0.8, None),
        ("tea", 1, "add salt", 0.8, None),
        ("soup", 0, "add salt", 0.8, None),
    ]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(torch.tensor([2, IGNORED]), [2, IGNORED], id="one label"),
        pytest.param(
            torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [-100.0] * 3]), [1, IGNORED, IGNORED], id="several"
        ),
    ],
)
def test_truth_is_the_first_class(target: Tensor, expected: list[int]) -> None:
    assert columns_of(said([0] * len(target))._replace(target=target)).truth.tolist() == expected

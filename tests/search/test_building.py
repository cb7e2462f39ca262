"""The moments of a video: predicted segments and seconds, with the mean of their frames' embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.errors import DataError
from gad_lightning.search.building import MomentCollector
from gad_lightning.search.embedding import embedder_of
from gad_lightning.types import Predictions
from tests.classifiers.making import make

LABELS = [0, 1, 1, 1, 1, 2, 2, 2, 0, 1]  # at 4 frames a second


def said(video: int, labels: list[int], states: torch.Tensor) -> Predictions:
    """Predictions of the frames of a video, all as sure."""
    count = len(labels)
    zeros, frames = torch.zeros(count, dtype=torch.int64), torch.arange(count)
    scores = torch.full((count, 5), -3.0).scatter_(1, torch.tensor(labels)[:, None], -0.5)
    return Predictions(zeros + video, frames, zeros, frames, torch.tensor(labels), scores, scores, states)


def collected(*parts: Predictions) -> tuple[Any, Any]:
    """What is kept of them, in whatever order they come."""
    classifier = make(DiscriminativeClassifier)
    collector = MomentCollector(embedder_of(classifier), classifier)
    for part in parts:
        collector.on_predict_batch_end(None, classifier, part, None, 0)  # type: ignore[arg-type]  # neither is read
    return collector.collected(3)


def test_segments_and_seconds_are_moments() -> None:
    states = torch.randn(10, 32, generator=torch.Generator().manual_seed(0))
    whole = said(3, LABELS, states)
    parts = [Predictions(*(column[part] for column in whole[:8])) for part in (slice(5, None), slice(5))]
    rows, moments = collected(*parts)
    told = [(row["start"], row["end"], row["label"], row["unit"]) for row in moments]
    segments = [(0.25, 1.25, 1, 0), (1.25, 2.0, 2, 0), (2.25, 2.5, 1, 0)]
    assert told == [*segments, (0.0, 1.0, 1, 1), (1.0, 2.0, 2, 1), (2.0, 2.5, 1, 1)]
    assert moments["probability"].tolist() == pytest.approx([np.exp(-0.5)] * 6)
    mean = torch.nn.functional.normalize(torch.nn.functional.normalize(states[1:5], dim=1).mean(0), dim=0)
    assert rows[0].astype(np.float32) == pytest.approx(mean.numpy(), abs=2e-3)


def test_videos_are_numbered_within_their_split() -> None:
    _, moments = collected(said(4, [1, 1], torch.randn(2, 32)), said(3, [2], torch.randn(1, 32)))
    assert moments["video"].tolist() == [0, 0, 1, 1]
    assert moments["truth"].tolist() == [2, 2, 1, 1]


def test_no_frame_makes_no_index() -> None:
    with pytest.raises(DataError, match="no frame to index"):
        collected()

"""One row a labeled segment."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from gad_lightning.classifiers.segment_means import batches_of, segment_means, training_moments
from gad_lightning.classifiers.standardization import Standardization
from gad_lightning.data.toy import ToyActions
from gad_lightning.segments import cut, paint
from gad_lightning.types import Batch, Predictions


def predict(batch: Batch) -> Predictions:
    """States that say which frame of which video they are, logits that say the label."""
    states = torch.stack([batch.video.float(), batch.frame.float()], 1)
    logits = torch.nn.functional.one_hot(batch.label, 8).float()
    return Predictions(batch.video, batch.query_index, batch.task, batch.frame, batch.label, logits, logits, states)


def test_a_segment_is_the_mean_of_its_frames_however_they_are_batched() -> None:
    for mode, size in (("window", 1), ("window", 7), ("one_pass", 2)):
        dataset = ToyActions(num_videos=8, mode=mode, chunk=5).dataset("train")  # type: ignore[arg-type]  # both are modes
        found = segment_means(dataset, size, torch.device("cpu"), predict, 0, lambda one: one.frame.float() ** 2)
        expected = [
            (video, *segment)
            for video, laid in enumerate(dataset.timelines)
            for segment in cut(laid.queries.label.tolist())
        ]
        assert found.label.tolist() == [label for _, label, _, _ in expected]
        assert found.states.tolist() == [[video, (start + end - 1) / 2] for video, _, start, end in expected]
        assert bool((found.logits.argmax(1) == found.label).all())
        squares = [sum(frame**2 for frame in range(start, end)) / (end - start) for _, _, start, end in expected]
        assert torch.allclose(found.extra, torch.tensor(squares))


def test_queries_of_another_task_count_nothing() -> None:
    dataset = ToyActions(num_videos=4).dataset("train")
    found = segment_means(dataset, 8, torch.device("cpu"), predict, task=1)
    assert len(found.label) == 0


def test_every_sample_comes_once_and_in_order() -> None:
    dataset = ToyActions(num_videos=4).dataset("train")
    keys = [key for batch in batches_of(dataset, 3, torch.device("cpu")) for key in batch.query_index.tolist()]
    assert len(keys) == len(dataset)


def test_every_stretch_of_a_training_video_is_the_mean_of_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gad_lightning.classifiers.segment_means.FRAMES_AT_ONCE", 3)
    data = ToyActions(num_videos=8, tokens_per_frame=2)
    standardize = Standardization(data.schema.features)
    found, at = training_moments(data, standardize), 0
    for record in data.videos("train"):
        labels = paint(record.segments, record.frames.num_frames, 0).tolist()
        edges = [0, *(i for i in range(1, len(labels)) if labels[i] != labels[i - 1]), len(labels)]
        for start, end in itertools.pairwise(edges):
            frames = torch.from_numpy(record.frames.rows(np.arange(start, end)))
            assert (found.labels[at], found.videos[at]) == (labels[start], record.name)
            assert torch.allclose(found.keys[at], standardize(frames).mean(1).mean(0), atol=1e-5)
            at += 1
    assert len(found.keys) == len(found.labels) == len(found.videos) == at


def test_frames_that_are_not_scored_are_in_no_moment() -> None:
    data = ToyActions(num_videos=8)
    data.ignored = "stir tea"
    found = training_moments(data, Standardization(data.schema.features))
    assert data.class_names.index("stir tea") not in found.labels.tolist()
    assert len(found.labels)

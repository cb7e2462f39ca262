"""Branches that are written on side by side."""

from __future__ import annotations

import torch

from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from tests.classifiers.making import WIDTH, batch, make, random_frames


def test_rows_that_write_less_have_room_beside_rows_that_write_long_names() -> None:
    deep = ("a a a a a a a a p", "a a a a a a a a q", "b c c c c c c c p", "b c c c c c c c q", "b d")
    labels = DataSchema((Task("action", LabelSet(deep)),), (), FeatureSpec("test", 4.0, WIDTH))
    found = set()
    for seed in range(12):
        gen = make(GenerativeClassifier, schema=labels, seed=seed).eval()
        frames = random_frames(2, 8, seed=seed)
        scores = gen.scores(batch(frames, [[1, 3, 5, 7]] * 2)).scores
        alone = torch.cat([gen.scores(batch(frames[row : row + 1], [[1, 3, 5, 7]])).scores for row in range(2)])
        assert torch.allclose(scores, alone, atol=1e-4)
        found.add(tuple(scores.argmax(1).tolist()))
    assert len(found) > 1

"""Small tables of moments and embeddings for the tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gad_lightning.retrieval.moment_index import MOMENT, IndexFacts

CLASSES = ("background", "cut tomato", "add salt", "stir")


def facts(videos: int = 3, **more: Any) -> IndexFacts:
    """Of an index of a few videos."""
    names = tuple(f"video {number}" for number in range(videos))
    return IndexFacts("GADClassifier", "abc", "best.ckpt", "states", 4.0, CLASSES, names)._replace(**more)


def moments_of(rows: list[tuple[int, float, float, int, int]]) -> NDArray[np.void]:
    """Moments (video, start, end, label, unit); their probability falls from the first to the last."""
    made = np.zeros(len(rows), MOMENT)
    for place, (video, start, end, label, unit) in enumerate(rows):
        made[place] = (video, start, end, label, 1 - place / len(rows), label, unit)
    return made


def random_rows(count: int, width: int = 16, clusters: int = 200, seed: int = 0) -> NDArray[np.float32]:
    """Embeddings of length 1 that lie in clusters, as states do: (count, width)."""
    random = np.random.default_rng(seed)
    centers = random.standard_normal((clusters, width), dtype=np.float32)
    rows = centers[random.integers(clusters, size=count)]
    rows += 0.7 * random.standard_normal((count, width), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def random_moments(count: int, videos: int = 3, seed: int = 0) -> NDArray[np.void]:
    """Moments of a second each, half of them segments."""
    random = np.random.default_rng(seed)
    made = np.zeros(count, MOMENT)
    made["video"] = random.integers(videos, size=count)
    made["start"] = random.integers(1000, size=count)
    made["end"] = made["start"] + 1
    made["label"] = random.integers(len(CLASSES), size=count)
    made["probability"] = random.random(count)
    made["unit"] = random.integers(2, size=count)
    return made

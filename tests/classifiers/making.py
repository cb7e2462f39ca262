"""Small classifiers and batches for the tests."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task, Windows
from gad_lightning.types import Batch

NAMES = ("background", "add sugar", "add salt", "stir sugar", "stir")
WIDTH = 6


def schema(**windows: Any) -> DataSchema:
    """Five classes, one goal, six features at 4 fps."""
    labels = LabelSet(NAMES, 0)
    return DataSchema((Task("action", labels),), ("tea",), FeatureSpec("test", 4.0, WIDTH), Windows(**windows))


def make(kind: type[Classifier], seed: int = 0, layers: int = 2, **arguments: Any) -> Classifier:
    """A tiny classifier whose weights depend on the seed alone."""
    torch.manual_seed(seed)
    arguments.setdefault("schema", schema())
    arguments.setdefault("backbone", TinyBackbone(hidden_size=32, num_layers=layers))
    return kind(**arguments)


def batch(frames: Tensor, asked: list[list[int]], labels: Tensor | None = None, draw: Tensor | None = None) -> Batch:
    """One sample per list of anchors; videos are numbered as the samples, nothing has happened before."""
    sample = torch.tensor([row for row, anchors in enumerate(asked) for _ in anchors], dtype=torch.int64)
    anchor = torch.tensor([frame for anchors in asked for frame in anchors], dtype=torch.int64)
    zeros, queries = torch.zeros(len(frames), dtype=torch.int64), torch.zeros_like(sample)
    return Batch(
        frames=frames,
        frame_counts=torch.full((len(frames),), frames.shape[1]),
        first_frame=zeros,
        goal=zeros,
        segments=torch.tensor([[[1, 0, 2], [3, 2, 4]]]).expand(len(frames), -1, -1),
        sample=sample,
        anchor=anchor,
        frame=anchor,
        horizon=queries,
        task=queries,
        label=queries if labels is None else labels,
        video=sample,
        query_index=anchor,
        uniform=torch.zeros(len(sample)) if draw is None else draw,
    )


def random_frames(size: int, length: int, seed: int = 0, tokens: int = 1, width: int = WIDTH) -> Tensor:
    """(size, length, tokens, width) features."""
    return torch.randn(size, length, tokens, width, generator=torch.Generator().manual_seed(seed))


def train(classifier: Classifier, steps: int) -> None:
    """Some optimizer steps on random frames and labels, the same for every classifier."""
    optimizer = torch.optim.AdamW([w for w in classifier.parameters() if w.requires_grad], lr=1e-3)
    for step in range(steps):
        labels = torch.randint(len(NAMES), (6,), generator=torch.Generator().manual_seed(step))
        losses = classifier.losses(batch(random_frames(2, 8, step), [[1, 4, 7], [0, 2, 6]], labels))
        optimizer.zero_grad()
        torch.stack([loss.sum / loss.count for loss in losses.values()]).sum().backward()
        optimizer.step()

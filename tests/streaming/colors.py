"""A classifier that tells plain colors apart, trained in a second, and frames for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.heads.linear import LinearHead
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task, Windows
from gad_lightning.video.base import Picture
from gad_lightning.video.encoders import SmallEncoder
from tests.classifiers.making import batch
from tests.video.serving import COLORS, FPS

NAMES = tuple(COLORS)


class OwnHead(LinearHead):
    """A head of a package that is not the library's."""


def picture(name: str) -> Picture:
    """Plain picture of a color, as in the clips."""
    return np.full((64, 64, 3), COLORS[name], np.uint8)


def train_colors(steps: int = 40, **windows: Any) -> GADClassifier:
    """GAD of 3 classes, named as the colors, for the built-in encoder's features of the clips."""
    torch.manual_seed(0)
    chosen = Windows(**{"mode": "one_pass", "short": 8, "chunk": 8, **windows})
    schema = DataSchema(
        (Task("color", LabelSet(NAMES, 0)),), ("tea",), FeatureSpec("small", float(FPS), 96), windows=chosen
    )
    classifier = GADClassifier(schema=schema, backbone=TinyBackbone(hidden_size=32, num_layers=1))
    features = SmallEncoder().encode(np.stack([picture(name) for name in NAMES]))
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=1e-2)
    for _ in range(steps):
        labels = torch.randint(3, (4, 3)).repeat_interleave(4, 1)
        asked = batch(features[labels], [list(range(12))] * 4, labels.flatten())
        loss = torch.stack([classifier.average(part) for part in classifier.losses(asked).values()]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return classifier.eval()


def save_colors(path: Path) -> Path:
    """Checkpoint of :func:`train_colors`."""
    checkpoint: dict[str, Any] = {}
    train_colors().on_save_checkpoint(checkpoint)
    torch.save(checkpoint, path)
    return path

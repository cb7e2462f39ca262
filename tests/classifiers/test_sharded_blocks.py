"""On one process a classifier clips gradients as Lightning does; spread over several, see tests/training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.data.toy import ToyActions
from tests.classifiers.making import make


def sgd(weights: Any) -> torch.optim.Optimizer:
    """The gradient itself is the step."""
    return torch.optim.SGD(weights, lr=1.0)


@pytest.mark.parametrize(("how", "limit"), [("norm", 1e-2), ("value", 1e-4), ("norm", None)])
def test_a_step_is_as_long_as_the_clipped_gradient(how: Any, limit: float | None, tmp_path: Path) -> None:
    data = ToyActions(short_memory=4, batch_size=4)
    backbone = TinyBackbone(hidden_size=16, num_layers=1)
    classifier = make(GADClassifier, schema=data.schema, backbone=backbone, optimizer=sgd, warmup=0.0)
    before = {name: weight.detach().clone() for name, weight in classifier.trained_state().items()}
    trainer = Trainer(
        max_steps=1,
        accelerator="cpu",
        gradient_clip_val=limit,
        gradient_clip_algorithm=how,
        default_root_dir=tmp_path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        limit_val_batches=0,
    )
    trainer.fit(classifier, data)
    moved = torch.cat([(weight - before[name]).flatten() for name, weight in classifier.trained_state().items()])
    if limit is None:
        assert moved.norm() > 0.1
    elif how == "norm":
        assert float(moved.norm()) == pytest.approx(limit, rel=1e-2)
    else:
        assert float(moved.abs().max()) == pytest.approx(limit, rel=1e-2)

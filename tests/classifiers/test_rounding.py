"""Features with a large offset survive every precision of a run."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightning import Trainer
from torch.utils.data import DataLoader

from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.types import Batch
from tests.classifiers.making import batch, make, random_frames, schema

OFFSET, SPREAD = 1000.0, 0.2


class Seen(DiscriminativeClassifier):
    """Notes what its standardization gives."""

    def frames(self, batch: Batch) -> Any:
        """Standardized frames."""
        self.seen = super().frames(batch)
        return self.seen


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "bf16-true", "64-true"])
def test_features_are_standardized_before_they_are_rounded(precision: Any) -> None:
    plain = random_frames(2, 8)
    features = schema().features._replace(mean=(OFFSET,) * 6, std=(SPREAD,) * 6)
    classifier: Any = make(Seen, schema=schema()._replace(features=features))
    given = batch(plain * SPREAD + OFFSET, [[3, 7], [5]], torch.tensor([1, 2, 3]))
    trainer = Trainer(
        max_steps=1,
        accelerator="cpu",
        precision=precision,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = DataLoader([given], batch_size=None)
    trainer.fit(classifier, loader)
    assert torch.allclose(classifier.seen.double(), plain.double(), atol=1e-3)
    if precision == "bf16-true":
        assert classifier.heads[0].project.weight.dtype == torch.bfloat16
    scored = trainer.predict(classifier, loader)
    assert scored is not None
    assert torch.allclose(classifier.seen.double(), plain.double(), atol=1e-3)
    assert "convert_input" not in vars(trainer.precision_plugin)  # the next module finds the plugin as it was

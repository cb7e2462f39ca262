"""A checkpoint whose classifier was changed without training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning import Trainer

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.saving.rewriting import write_changed
from gad_lightning.errors import SettingError
from gad_lightning.training.checkpoint_files import read_checkpoint
from tests.classifiers.making import make, random_frames


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkpoint."""
    trainer = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu")
    trainer.strategy.connect(make(DiscriminativeClassifier))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    return tmp_path / "a.ckpt"


def test_what_was_changed_is_written_and_the_rest_stays(source: Path) -> None:
    classifier = Classifier.load_from_checkpoint(source)
    with torch.no_grad():
        next(classifier.backbone.connector.parameters()).add_(1.0)
    write_changed(classifier, source, source.with_name("b.ckpt"))
    again, frames = Classifier.load_from_checkpoint(source.with_name("b.ckpt")), random_frames(1, 3)
    assert torch.equal(again(frames), classifier(frames))
    assert not torch.equal(again(frames), Classifier.load_from_checkpoint(source)(frames))
    assert set(read_checkpoint(source.with_name("b.ckpt"))) == set(read_checkpoint(source))


def test_the_checkpoint_that_was_read_is_kept(source: Path) -> None:
    with pytest.raises(SettingError, match=r"a\.ckpt is the checkpoint that was read"):
        write_changed(Classifier.load_from_checkpoint(source), source, source)

"""Actions that are none of the classes, from a classifier to a folder of predictions and back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import Trainer

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.predictions import PredictionWriter
from gad_lightning.data.toy import ToyActions
from gad_lightning.rejection.energy import EnergyScore
from gad_lightning.results.predictions import TaskPredictions, read_predictions
from gad_lightning.results.unknown_actions import rejection_of
from gad_lightning.schema import LabelSet, Task
from gad_lightning.types import IGNORED

HIDDEN = ["add salt", "pour water"]


@pytest.fixture(scope="module")
def data() -> ToyActions:
    """Two classes are held out."""
    return ToyActions(num_videos=8, mode="one_pass", unknown_classes=HIDDEN)


def predicted(classifier: DiscriminativeClassifier, data: ToyActions, folder: Path) -> TaskPredictions:
    """What is read of what was written."""
    trainer = Trainer(callbacks=[PredictionWriter(folder)], logger=False, enable_progress_bar=False, accelerator="cpu")
    trainer.predict(classifier, data)
    _, (found,) = read_predictions(folder)
    return found


def untrained(data: ToyActions) -> DiscriminativeClassifier:
    """A tiny classifier."""
    torch.manual_seed(0)
    backbone = TinyBackbone(hidden_size=32, num_layers=1)
    return DiscriminativeClassifier(schema=data.schema, backbone=backbone).eval()


def test_scores_and_likeliest_classes_of_a_run_that_rejects_are_read_as_they_were(
    data: ToyActions, tmp_path: Path
) -> None:
    classifier = untrained(data)
    classifier.fit_rejection(data, EnergyScore(), kept=0.5, over_background=True)
    found = predicted(classifier, data, tmp_path)
    with torch.inference_mode():
        scored = [classifier.judged(classifier.score_in_evaluation(batch)) for batch in data.predict_dataloader()]
    rejection = torch.cat([part.rejection for part in scored if part.rejection is not None])
    nearest = torch.cat([part.label for part in scored])
    size = len(data.schema.tasks[0].labels.names)
    assert found.unknown == size
    assert found.rejection is not None
    assert found.nearest is not None
    assert np.allclose(np.sort(found.rejection), np.sort(rejection.numpy()), atol=1e-5)
    assert np.bincount(found.nearest).tolist() == torch.bincount(nearest).tolist()
    assert ((found.label == size) == (found.rejection > 0)).all()
    assert (found.label == found.nearest)[found.rejection <= 0].all()


def test_frames_that_cannot_be_unknown_have_an_empty_cell(data: ToyActions, tmp_path: Path) -> None:
    classifier = untrained(data)
    classifier.fit_rejection(data, EnergyScore(), kept=0.5)
    found = predicted(classifier, data, tmp_path)
    assert found.rejection is not None
    assert found.nearest is not None
    assert (np.isneginf(found.rejection) == (found.nearest == data.schema.tasks[0].labels.background)).all()
    rows = json.loads((tmp_path / "frames.json").read_text())
    assert all(row["rejection"] is None or np.isfinite(row["rejection"]) for row in rows)
    header = next(csv.reader((tmp_path / "frames.csv").open()))
    assert header[-2:] == ["rejection", "nearest"]


def test_a_run_that_cannot_reject_still_tells_unknown_truth(data: ToyActions, tmp_path: Path) -> None:
    found = predicted(untrained(data), data, tmp_path)
    assert found.rejection is None
    assert found.task.labels.names[found.unknown or 0] == "unknown"
    assert bool((found.truth == found.unknown).any())
    assert not bool((found.label == found.unknown).any())


def test_a_run_of_known_actions_is_written_as_before(tmp_path: Path) -> None:
    plain = ToyActions(num_videos=8, mode="one_pass")
    found = predicted(untrained(plain), plain, tmp_path)
    assert found.unknown is None
    assert found.task.labels == plain.schema.tasks[0].labels


def test_cells_are_read_and_those_that_are_none_are_refused() -> None:
    task = Task("action", LabelSet(("rest", "stir", "unknown"), 0))
    rows = [
        {"rejection": "", "nearest": "rest"},
        {"rejection": "0.5", "nearest": "stir"},
        {"rejection": "1", "nearest": ""},
    ]
    found = rejection_of(task, rows)
    assert found is not None
    assert found[0].tolist() == [-np.inf, 0.5, 1.0]
    assert found[1].tolist() == [0, 1, IGNORED]
    assert rejection_of(task, [{"rejection": "1"}]) is None
    with pytest.raises(KeyError):
        rejection_of(task, [{"rejection": "1", "nearest": "fly"}])

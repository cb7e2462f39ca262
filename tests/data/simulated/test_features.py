"""Simulated features: the same whenever they are read, on any data, at the size of EPIC-KITCHENS-100."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import Trainer

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.data.benchmarks.annotation_files import read_json
from gad_lightning.data.benchmarks.epic_kitchens100 import EPICKitchens100
from gad_lightning.data.simulated.features import SimulatedFeatures
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import SettingError
from tests.data.official_roots import real_root


def test_frames_are_the_same_in_any_order_and_in_another_process() -> None:
    frames = SimulatedFeatures(ToyActions(), width=5, tokens_per_frame=2).records("train")[0].frames
    whole = frames.rows(np.arange(frames.num_frames))
    assert whole.shape == (frames.num_frames, 2, 5)
    assert whole.dtype == np.float32
    assert (frames.rows(np.array([7, 3, 7])) == whole[[7, 3, 7]]).all()
    assert (pickle.loads(pickle.dumps(frames)).rows(np.arange(4)) == whole[:4]).all()  # noqa: S301  # our own bytes
    again = SimulatedFeatures(ToyActions(), width=5, tokens_per_frame=2).records("train")[0].frames
    assert (again.rows(np.arange(4)) == whole[:4]).all()


def test_looks_and_noise_have_the_spread_that_is_asked_for() -> None:
    data = SimulatedFeatures(ToyActions(num_videos=40), width=200, noise=0.5)
    record = data.records("train")[0]
    shown = data.shown(record)
    rows = record.frames.rows(np.arange(len(shown)))[:, 0]
    background = rows[shown == 0]
    assert background.std(0, ddof=1).mean() == pytest.approx(0.5, rel=0.1)
    assert data.appearance.looks.std() == pytest.approx(1.0, rel=0.1)
    assert np.abs(np.corrcoef(background - background.mean(0))).mean() < 0.3, "no two frames have the same noise"


def test_timelines_classes_and_goals_stay_those_of_the_source() -> None:
    source = ToyActions()
    data = SimulatedFeatures(source, width=6)
    assert (data.schema.tasks, data.schema.goals) == (source.schema.tasks, source.schema.goals)
    assert (data.schema.features.width, data.schema.features.fps) == (6, 4.0)
    for ours, theirs in zip(data.dataset("test").timelines, source.dataset("test").timelines, strict=True):
        assert (ours.queries.label == theirs.queries.label).all()


def test_another_seed_gives_other_looks() -> None:
    sources = [SimulatedFeatures(ToyActions(), look_seed=seed).records("test")[0].frames for seed in (0, 1)]
    assert not np.allclose(*(frames.rows(np.arange(3)) for frames in sources))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(SettingError, match=r"data\.width"):
        SimulatedFeatures(ToyActions(), width=0).records("train")


def epic(shared: Path, tmp_path: Path) -> SimulatedFeatures:
    """The 138 validation videos of EPIC-KITCHENS-100, to train and to test on, with all 3,807 classes."""
    root = real_root(shared, tmp_path, "epic", without="train")
    (root / "EPIC_100_train.csv.gz").symlink_to(root / "EPIC_100_validation.csv.gz")
    info = read_json(root / "data_info.json.gz")["EK100"]
    info["train_session_set"] = info["test_session_set"]
    (root / "data_info.json").write_text(json.dumps({"EK100": info}))
    source = EPICKitchens100(root, features=None, fps=1)
    return SimulatedFeatures(source, width=32, mode="one_pass", short_memory=20, chunk=236, batch_size=4)


def test_from_annotations_to_the_first_batch_in_seconds(shared: Path, tmp_path: Path) -> None:
    data = epic(shared, tmp_path)
    start = time.perf_counter()
    batch = next(iter(data.train_dataloader()))
    assert time.perf_counter() - start < 5
    assert batch.frames.shape[2:] == (1, 32)


@pytest.mark.slow  # 47,600 frames are trained on, tested and predicted: 1 minute
def test_138_real_timelines_run_through_fit_test_and_predict(shared: Path, tmp_path: Path) -> None:
    data = epic(shared, tmp_path)
    torch.manual_seed(0)
    classifier = DiscriminativeClassifier(backbone=TinyBackbone(hidden_size=32, num_layers=1), schema=data.schema)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = Trainer(max_epochs=1, enable_model_summary=False, **quiet)
    trainer.fit(classifier, datamodule=data)
    results = trainer.test(classifier, datamodule=data, verbose=False)[0]
    assert {"test/top1", "test/segment_f1", "test/point_f1"} <= set(results)
    trainer.predict(classifier, datamodule=data, return_predictions=False)
    assert len(data.videos("test")) == 138

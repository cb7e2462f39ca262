"""The real signals of experiments/hapt, prepared as own data."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from gad_lightning.data.own import OwnVideos


@pytest.fixture(scope="module")
def prepare() -> ModuleType:
    """The script, imported from its file."""
    path = Path(__file__).resolve().parents[2] / "experiments" / "hapt" / "prepare.py"
    spec = importlib.util.spec_from_file_location("prepare_hapt", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_frame_uses_no_sample_after_its_time(prepare: ModuleType) -> None:
    signals = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    changed = signals.copy()
    changed[76:] += 1.0
    whole, other = (prepare.feature_frames(array, 2.0) for array in (signals, changed))
    assert whole.shape == (8, 84)
    same = (whole == other).all(1)
    assert same.tolist() == [True] * 4 + [False] * 4  # frame 3 is at 1.5 s, sample 75


def test_every_sample_is_used_once_and_the_last_frame_is_not_after_the_last_sample(prepare: ModuleType) -> None:
    ramp = np.arange(126, dtype=np.float32)[:, None].repeat(6, axis=1)
    frames = prepare.feature_frames(ramp, 2.0)
    assert frames[:, 28].tolist() == [0, 25, 50, 75, 100, 125]  # the newest sample of the first signal
    assert frames[:, 14].tolist() == [0, 1, 26, 51, 76, 101]  # the smallest


@pytest.mark.slow
def test_the_folder_is_read_as_own_data_with_the_official_split(
    prepare: ModuleType, shared: Path, tmp_path: Path
) -> None:
    """Summarizes six hours of signals, which takes several seconds."""
    assert prepare.prepare(shared / "data" / "real" / "hapt", tmp_path, 2.0) == 61
    data = OwnVideos(tmp_path, val_fraction=0.2)
    data.setup("fit")
    data.setup("test")
    held = {record.group for record in data.videos("val")}
    assert len(data.videos("train")) + len(data.videos("val")) == 42
    assert len(data.videos("test")) == 19
    assert len({record.group for record in data.videos("test")}) == 9
    assert held == set(data.held_out)
    assert not held & {record.group for record in data.videos("train")}
    assert len(data.class_names) == 13
    frames = sum(record.frames.num_frames for split in ("train", "val", "test") for record in data.videos(split))
    assert frames == pytest.approx(1_122_772 / 25, abs=61)
    labels = np.concatenate([laid.queries.label for laid in data.dataset("test").timelines])
    assert np.bincount(labels).argmax() == 0
    assert 0.2 < (labels == 0).mean() < 0.35

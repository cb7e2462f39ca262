"""Mean and spread of the training features, and what is held out."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gad_lightning.data.arrays import ArrayFrames
from gad_lightning.data.records import VideoRecord
from gad_lightning.data.splits import hold_out
from gad_lightning.data.statistics import Kinds, _measure, feature_statistics, fingerprint, kinds
from gad_lightning.errors import DataError, SettingError


class Stored(ArrayFrames):
    """Frames in memory that claim to come from a file, and count how often they are read."""

    def __init__(self, path: Path, array: np.ndarray) -> None:
        super().__init__(array, fps=1.0)
        self.path, self.reads = path, 0
        path.write_bytes(array.tobytes())

    def rows(self, frames: np.ndarray) -> np.ndarray:
        """Count and read."""
        self.reads += 1
        return super().rows(frames)


def test_statistics_are_those_of_all_frames_and_tokens_together() -> None:
    rng = np.random.default_rng(0)
    arrays = [(rng.normal(size=(n, 3, 5)) * [1, 2, 3, 4, 5] + 1000).astype(np.float32) for n in (1500, 1, 700)]
    mean, std = _measure([ArrayFrames(array, fps=1.0) for array in arrays])
    rows = np.concatenate([array.reshape(-1, 5) for array in arrays]).astype(np.float64)
    np.testing.assert_allclose(mean, rows.mean(0), rtol=1e-7)
    np.testing.assert_allclose(std, rows.std(0), rtol=1e-5)


def frames_of(*columns: Any) -> ArrayFrames:
    """One video whose features are ``columns``."""
    return ArrayFrames(np.stack([np.asarray(column, dtype=np.float32) for column in columns], 1), fps=1.0)


NORMAL = np.random.default_rng(0).normal(size=3000)


def test_one_feature_in_another_unit_changes_no_other_one() -> None:
    alone = _measure([frames_of(NORMAL)])
    for scale in (1e-6, 1e5, 1e9):
        mean, std = _measure([frames_of(NORMAL, NORMAL[::-1] * scale)])
        assert (mean[0], std[0]) == pytest.approx((alone.mean[0], alone.std[0]), rel=1e-6)
        assert std[1] == pytest.approx(scale * alone.std[0], rel=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, -3.7, 1e5], ids=str)
def test_a_feature_that_never_varies_is_not_scaled(value: float) -> None:
    mean, std = _measure([frames_of(NORMAL, np.full(3000, value)), frames_of(NORMAL, np.full(3000, value))])
    assert mean[1] == pytest.approx(value, rel=1e-6)
    assert std[1] == 1.0
    assert kinds([frames_of(NORMAL, np.full(3000, value))]) == Kinds(constant=1, two_valued=0, sparse=0)


def test_a_feature_that_varies_by_rounding_only_is_not_scaled() -> None:
    assert _measure([frames_of(np.float32(1000) + 6e-5 * (np.arange(3000) % 3))]).std == (1.0,)


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.1, 0.5, 0.9, 1.0])
def test_one_hot_features_stay_as_they_are(share: float) -> None:
    hot = (np.arange(4000) < share * 4000).astype(np.float32)
    mean, std = _measure([frames_of(hot), frames_of(hot[::-1])])
    assert std == (1.0,)
    assert mean == ((1.0,) if share == 1 else (0.0,))


def test_a_feature_of_two_values_becomes_zero_and_one() -> None:
    values = [np.where(np.arange(50) == at, high, low) for at, high, low in ((3, 255, 0), (7, 1, -1), (49, 9, 8))]
    mean, std = _measure([frames_of(*values)])
    assert (mean, std) == ((0.0, -1.0, 8.0), (255.0, 2.0, 1.0))
    assert kinds([frames_of(*values)]).two_valued == 3


def test_two_values_of_different_videos_are_two_values_and_three_are_not() -> None:
    ones, twos, threes = (frames_of(np.full(10, value)) for value in (1, 2, 3))
    assert kinds([ones, twos, ones]) == Kinds(0, 1, 0)
    assert kinds([ones, twos, threes]) == Kinds(0, 0, 0)
    assert _measure([ones, twos, threes]).std[0] == pytest.approx(np.std([1, 2, 3]))


def test_the_zeros_of_a_sparse_feature_stay_zeros_and_rare_values_stay_small() -> None:
    counts = np.zeros(10_000)
    counts[::100] = 3 * (1 + np.arange(100) % 2)
    mean, std = _measure([frames_of(counts)])
    assert mean == (0.0,)
    assert std[0] == pytest.approx(np.sqrt((9 + 36) / 2))
    assert kinds([frames_of(counts)], None) == Kinds(0, 0, 1)


@pytest.mark.parametrize("rest", [-1.0, 0.5, 0.1])
def test_rare_values_beside_another_one_than_zero_stay_small(rest: float) -> None:
    """Such as -1 where a detector finds nothing."""
    values = np.full(10_000, rest)
    values[::1000] += 1 + np.arange(10) / 10
    mean, std = _measure([frames_of(values)])
    assert mean == pytest.approx((rest,))
    assert abs((values - mean[0]) / std[0]).max() < 2
    assert kinds([frames_of(values)], None) == Kinds(0, 0, 1)


def test_statistics_of_an_earlier_rule_are_not_read(tmp_path: Path) -> None:
    file = Stored(tmp_path / "a.npy", np.eye(4, dtype=np.float32))
    (tmp_path / f"statistics-{fingerprint([file.path])}.json").write_text('{"mean": [7, 7, 7, 7], "std": [9, 9, 9, 9]}')
    assert feature_statistics([file]) == _measure([file])


def test_values_too_large_to_square_are_refused() -> None:
    with pytest.raises(DataError, match="too large"):
        _measure([ArrayFrames(np.array([[0.0], [1e30]], dtype=np.float32), fps=1.0)])


def test_statistics_are_kept_beside_the_files_until_one_changes(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    files = [Stored(tmp_path / f"{name}.npy", array + i) for i, name in enumerate("ab")]
    first = feature_statistics(files)
    read = [file.reads for file in files]
    assert feature_statistics(files) == first
    assert [file.reads for file in files] == read
    time.sleep(0.02)
    assert feature_statistics([files[0], Stored(tmp_path / "b.npy", array + 7)]) != first
    assert len(list(tmp_path.glob("statistics-*.json"))) == 2
    assert all(json.loads(path.read_text()) for path in tmp_path.glob("statistics-*.json"))


def test_a_folder_that_cannot_be_written_to_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Stored(tmp_path / "a.npy", np.eye(4, dtype=np.float32))
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere, so the mode bits cannot show it
    with pytest.warns(UserWarning, match="cannot be written to"):
        assert feature_statistics([file]) == _measure([file])
    assert not list(tmp_path.glob("statistics*"))


def video(name: str, group: str | None = None) -> VideoRecord:
    return VideoRecord(name, ArrayFrames(np.zeros((1, 1), dtype=np.float32), fps=1.0), group=group)


def test_whole_groups_are_held_out_by_name_alone() -> None:
    records = [video(f"v{number}", f"user{number % 7}") for number in range(42)]
    held = hold_out(records, 0.2)
    assert held == hold_out(records[::-1], 0.2) == hold_out(records[:21], 0.2)
    assert len(held) == 2
    assert set(hold_out(records, 0.1)) < set(held) < set(hold_out(records, 0.5))


def test_at_least_one_group_is_held_out_and_one_stays() -> None:
    records = [video("a"), video("b"), video("c")]
    assert len(hold_out(records, 0.01)) == 1
    assert len(hold_out(records, 0.99)) == 2
    assert hold_out(records, 0.0) == []


def test_one_group_cannot_be_divided() -> None:
    with pytest.raises(SettingError, match=r"All 2 training videos belong to one group, 'kitchen'.*\n.*val_fraction"):
        hold_out([video("a", "kitchen"), video("b", "kitchen")], 0.1)


@pytest.mark.parametrize(
    "text", ["", "[]", "[" * 100_000, '{"mean": [1], "std": [0]}', '{"mean": [NaN], "std": [1]}', "{}"]
)
def test_a_damaged_file_of_statistics_is_measured_again(tmp_path: Path, text: str) -> None:
    files = [Stored(tmp_path / "a.npy", np.arange(8.0).reshape(4, 1, 2))]
    measured = feature_statistics(files)
    kept = next(tmp_path.glob("statistics-*.json"))
    kept.write_text(text)
    assert feature_statistics(files) == measured
    assert json.loads(kept.read_text())["mean"] == list(measured.mean)

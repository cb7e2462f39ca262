"""Features on disk: the right rows, nothing more, and clear words when they are of another kind."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gad_lightning.errors import DataError, SettingError
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.features.feature_file import FeatureFile, SideBySide, check_features, open_features
from gad_lightning.video.features.sidecar import write_sidecar

VALUES = torch.arange(40, dtype=torch.float32).reshape(10, 4) / 8  # exact in 16 bits
ROWS = np.array([7, 2, 2, 9])


def write_npy(path: Path, values: torch.Tensor) -> None:
    """Bfloat16 as numpy writes it through ml_dtypes: two raw bytes a number."""
    if values.dtype == torch.bfloat16:
        np.save(path, values.view(torch.int16).numpy().view("V2"))
    else:
        np.save(path, values.numpy())


WRITERS: dict[str, Callable[[Path, torch.Tensor], Any]] = {
    "a.npy": write_npy,
    "a.pt": lambda path, values: torch.save(values, path),
    "dict.pt": lambda path, values: torch.save({"features": values}, path),
    "old.pth": lambda path, values: torch.save(values, path, _use_new_zipfile_serialization=False),
    "a.safetensors": lambda path, values: save_file({"features": values}, path),
}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("shape", [(10, 4), (10, 2, 2)])
@pytest.mark.parametrize("name", WRITERS)
def test_rows_come_as_float32_from_every_format(
    tmp_path: Path, name: str, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    WRITERS[name](tmp_path / name, VALUES.to(dtype).reshape(shape))
    file = FeatureFile(tmp_path / name, fps=4.0)
    tokens = shape[1] if len(shape) == 3 else 1
    expected = VALUES.numpy().reshape(10, tokens, -1)
    assert file.num_frames == 10
    assert file.spec == FeatureSpec("unknown", 4.0, shape[-1], tokens)
    for rows in (ROWS, slice(3, 6), slice(0, 0)):
        block = file.rows(rows)
        assert block.dtype == np.float32
        np.testing.assert_array_equal(block, expected[rows])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused_when_read(tmp_path: Path, bad: float) -> None:
    values = VALUES.clone()
    values[7, 1] = bad
    np.save(tmp_path / "a.npy", values)
    file = FeatureFile(tmp_path / "a.npy", fps=4.0)
    assert file.rows(slice(0, 7)).shape == (7, 1, 4)
    for rows in (np.array([1, 7, 2]), slice(5, 9)):
        with pytest.raises(DataError, match=r"Frame 7 of .*a.npy holds NaN or infinite values"):
            file.rows(rows)


def test_streams_are_joined_side_by_side(tmp_path: Path) -> None:
    paths = [tmp_path / "rgb.npy", tmp_path / "flow.npy"]
    np.save(paths[0], VALUES)
    np.save(paths[1], VALUES[:, :3].half())
    both = open_features(paths, fps=4.0, encoder="two")
    assert both.spec == FeatureSpec("two", 4.0, 7, 1)
    np.testing.assert_array_equal(both.rows(ROWS)[:, 0, 4:], VALUES[ROWS, :3])


def test_streams_of_different_length_or_tokens_are_refused(tmp_path: Path) -> None:
    for name, values in {"a": VALUES, "short": VALUES[:9], "grid": VALUES.reshape(10, 2, 2)}.items():
        np.save(tmp_path / f"{name}.npy", values)
    with pytest.raises(DataError, match=r"(?s)a.npy has 10 frames and .*short.npy has 9"):
        _ = open_features([tmp_path / "a.npy", tmp_path / "short.npy"], fps=4.0).num_frames
    with pytest.raises(DataError, match=r"grid.npy have tokens_per_frame 2; 1 is expected"):
        _ = SideBySide([FeatureFile(tmp_path / f"{name}.npy", fps=4.0) for name in ("a", "grid")]).spec


def test_the_note_beside_the_features_says_how_they_were_made(tmp_path: Path) -> None:
    spec = FeatureSpec("siglip@abc", 2.0, 4, 1)
    np.save(tmp_path / "a.npy", VALUES)
    write_sidecar(tmp_path, spec, resize={"side": 384})
    assert FeatureFile(tmp_path / "a.npy", fps=25.0).spec == spec
    write_sidecar(tmp_path, spec._replace(width=5))
    with pytest.raises(DataError, match=r"a.npy have width 4; 5 is expected"):
        _ = FeatureFile(tmp_path / "a.npy").spec


def test_features_without_a_rate_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    with pytest.raises(
        SettingError, match=r"(?s)frames a second .*a.npy was made.*set data\.fps .*or write features\.json"
    ):
        _ = FeatureFile(tmp_path / "a.npy").spec


@pytest.mark.parametrize(
    ("field", "value"), [("encoder", "clip"), ("fps", 8.0), ("width", 512), ("tokens_per_frame", 10)]
)
def test_features_of_another_kind_are_refused(field: str, value: object) -> None:
    expected = FeatureSpec(mean=(0.0,), std=(1.0,))
    check_features(FeatureSpec(), expected, "a.npy")
    with pytest.raises(DataError, match=rf"a.npy have {field} {value!r}; .* is expected"):
        check_features(FeatureSpec()._replace(**{field: value}), expected, "a.npy")


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is no JSON"), ('{"encoder": 3}', "no proper 'encoder': 3"), ("[]", "no proper 'encoder'")],
)
def test_a_damaged_note_is_named(tmp_path: Path, text: str, words: str) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    (tmp_path / "features.json").write_text(text)
    with pytest.raises(DataError, match=f"features.json.*{words}"):
        _ = FeatureFile(tmp_path / "a.npy").spec


def test_a_feature_file_travels_to_a_worker(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    file = FeatureFile(tmp_path / "a.npy", fps=4.0)
    file.rows(ROWS)
    there = pickle.loads(pickle.dumps(file))  # noqa: S301  # as multiprocessing does
    np.testing.assert_array_equal(there.rows(ROWS), file.rows(ROWS))

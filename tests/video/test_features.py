"""Features on disk: the right rows, nothing more, and clear words when they are of another kind."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.features.arrays_on_disk import OPEN_FILES
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


def test_only_the_rows_asked_for_are_read(tmp_path: Path) -> None:
    """A file of 4 GB with a hole in it: reading all of it would take seconds and the memory to match."""
    path = tmp_path / "long.npy"
    header = str({"descr": "<f4", "fortran_order": False, "shape": (2**20, 1024)}).encode().ljust(117) + b"\n"
    with path.open("wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
        file.truncate(file.tell() + 2**32)
    features = FeatureFile(path, fps=4.0)
    assert features.num_frames == 2**20
    assert features.rows(np.array([0, 2**20 - 1])).shape == (2, 1, 1024)


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
    with pytest.raises(SettingError, match=r"(?s)frames a second .*a.npy was made.*set fps, or write features.json"):
        _ = FeatureFile(tmp_path / "a.npy").spec


@pytest.mark.parametrize(
    ("field", "value"), [("encoder", "clip"), ("fps", 8.0), ("width", 512), ("tokens_per_frame", 10)]
)
def test_features_of_another_kind_are_refused(field: str, value: object) -> None:
    expected = FeatureSpec(mean=(0.0,), std=(1.0,))
    check_features(FeatureSpec(), expected, "a.npy")
    with pytest.raises(DataError, match=rf"a.npy have {field} {value!r}; .* is expected"):
        check_features(FeatureSpec()._replace(**{field: value}), expected, "a.npy")


class Bomb:
    """Runs code when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("boom",)


def write_bomb(path: Path) -> None:
    """A pickle under the name of a feature file."""
    if path.suffix == ".npy":
        np.save(path, np.array([Bomb()], dtype=object), allow_pickle=True)
    elif path.suffix == ".pt":
        torch.save(Bomb(), path)
    else:
        path.write_bytes(pickle.dumps(Bomb()))


@pytest.mark.parametrize("name", ["a.npy", "a.pt", "a.safetensors"])
def test_pickles_are_refused_and_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    write_bomb(tmp_path / name)
    with pytest.raises(DataError, match=rf"(?s){name} cannot be read as features.*pickled objects are refused"):
        FeatureFile(tmp_path / name).rows(ROWS)
    assert "boom" not in capsys.readouterr().out


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_files_are_named(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name, VALUES)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=f"{name} cannot be read as features"):
        FeatureFile(tmp_path / name).rows(ROWS)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((10, 4), np.int64), "its numbers are int64"),
        (np.zeros(10, np.float32), r"shape \(10,\)"),
        (np.zeros((0, 4), np.float32), r"shape \(0, 4\)"),
    ],
)
def test_arrays_that_are_no_features_are_refused(tmp_path: Path, values: Any, words: str) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(DataError, match=rf"(?s)a.npy .*{words}"):
        _ = FeatureFile(tmp_path / "a.npy").shape


def test_missing_and_unknown_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"There is no feature file .*gone.npy"):
        _ = FeatureFile(tmp_path / "gone.npy").num_frames
    (tmp_path / "a.csv").write_text("1,2")
    with pytest.raises(DataError, match=r"(?s)a.csv is of no known kind.*\.safetensors"):
        _ = FeatureFile(tmp_path / "a.csv").num_frames


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is no JSON"), ('{"encoder": 3}', "no proper 'encoder': 3"), ("[]", "no proper 'encoder'")],
)
def test_a_damaged_note_is_named(tmp_path: Path, text: str, words: str) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    (tmp_path / "features.json").write_text(text)
    with pytest.raises(DataError, match=f"features.json.*{words}"):
        _ = FeatureFile(tmp_path / "a.npy").spec


def test_a_rewritten_file_is_read_anew(tmp_path: Path) -> None:
    for number in (1.0, 2.0):
        np.save(tmp_path / "new.npy", np.full((10, 4), number))
        (tmp_path / "new.npy").replace(tmp_path / "a.npy")
        assert FeatureFile(tmp_path / "a.npy").rows(slice(None)).mean() == number


def test_a_feature_file_travels_to_a_worker(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    file = FeatureFile(tmp_path / "a.npy", fps=4.0)
    file.rows(ROWS)
    there = pickle.loads(pickle.dumps(file))  # noqa: S301  # as multiprocessing does
    np.testing.assert_array_equal(there.rows(ROWS), file.rows(ROWS))


def test_few_files_stay_open_however_many_there_are(tmp_path: Path) -> None:
    for number in range(3 * OPEN_FILES):
        np.save(tmp_path / f"{number}.npy", VALUES)
        FeatureFile(tmp_path / f"{number}.npy").rows(ROWS)
    handles = Path("/proc/self/fd")
    if handles.is_dir():
        held = [link for link in handles.iterdir() if str(tmp_path) in str(link.resolve())]
        assert len(held) <= OPEN_FILES

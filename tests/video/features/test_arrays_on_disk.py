"""Arrays on disk: only what is asked for is read, nothing is run, and damage is named."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.video.features.arrays_on_disk import OPEN_FILES
from gad_lightning.video.features.feature_file import FeatureFile
from tests.video.features.test_feature_file import ROWS, VALUES, WRITERS


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


def test_an_archive_and_a_shape_of_no_machine_are_refused_as_npy(tmp_path: Path) -> None:
    with (tmp_path / "archive.npy").open("wb") as file:
        np.savez(file, VALUES)
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"9" * 30 + b", 4), }\n"
    (tmp_path / "vast.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    for name in ("archive.npy", "vast.npy"):
        with pytest.raises(DataError, match=f"{name} cannot be read as features"):
            FeatureFile(tmp_path / name).rows(ROWS)


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


def test_a_rewritten_file_is_read_anew(tmp_path: Path) -> None:
    for number in (1.0, 2.0):
        np.save(tmp_path / "new.npy", np.full((10, 4), number))
        (tmp_path / "new.npy").replace(tmp_path / "a.npy")
        assert FeatureFile(tmp_path / "a.npy").rows(slice(None)).mean() == number


def test_few_files_stay_open_however_many_there_are(tmp_path: Path) -> None:
    for number in range(3 * OPEN_FILES):
        np.save(tmp_path / f"{number}.npy", VALUES)
        FeatureFile(tmp_path / f"{number}.npy").rows(ROWS)
    handles = Path("/proc/self/fd")
    if handles.is_dir():
        held = [link for link in handles.iterdir() if str(tmp_path) in str(link.resolve())]
        assert len(held) <= OPEN_FILES

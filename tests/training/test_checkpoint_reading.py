"""Files that are damaged, foreign or no checkpoints are refused before they are used, by name and with the reason."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from gad_lightning.errors import CheckpointError, MissingDataError
from gad_lightning.training.checkpoint_files import WholeCheckpointIO
from gad_lightning.training.checkpoint_reading import is_whole, read_checkpoint

FILES = WholeCheckpointIO()
SMALL: dict[str, Any] = {"state_dict": {"weights": torch.arange(64.0)}, "global_step": 7}


def test_no_flipped_bit_is_read_as_if_nothing_were(tmp_path: Path) -> None:
    path, flipped = tmp_path / "best.ckpt", tmp_path / "flipped.ckpt"
    FILES.save_checkpoint(SMALL, path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        flipped.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match=r"flipped\.ckpt is damaged"):
            read_checkpoint(flipped)


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(
    ("before", "behind"), [(b"", b"\0"), (b"", b"PK\5\6" + bytes(18)), (b"MZ", b""), (b"", b"x" * 99)]
)
def test_bytes_around_a_checkpoint_are_damage(tmp_path: Path, sealed: bool, before: bytes, behind: bytes) -> None:
    path = tmp_path / "best.ckpt"
    FILES.save_checkpoint(SMALL, path) if sealed else torch.save(SMALL, path)
    assert read_checkpoint(path)["global_step"] == 7
    path.write_bytes(before + path.read_bytes() + behind)
    with pytest.raises(CheckpointError, match=r"best\.ckpt is damaged"):
        read_checkpoint(path)
    assert not is_whole(path)


def test_what_another_program_has_changed_and_packed_well_is_not_read_as_ours(tmp_path: Path) -> None:
    path, changed = tmp_path / "best.ckpt", tmp_path / "changed.ckpt"
    FILES.save_checkpoint(SMALL, path)
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(changed, "w", zipfile.ZIP_STORED) as packed:
        packed.comment = whole.comment
        for record in whole.namelist():
            packed.writestr(record, whole.read(record)[::-1] if "/data/" in record else whole.read(record))
    with pytest.raises(CheckpointError, match="its bytes are not those that were written"):
        read_checkpoint(changed)


@pytest.mark.parametrize("path", ["x" * 5000 + ".ckpt", "a\0b.ckpt", "/dev/null"])
def test_a_path_that_no_file_can_have_is_missing(path: str) -> None:
    with pytest.raises(MissingDataError, match="No checkpoint at"):
        read_checkpoint(path)


def test_a_url_that_is_none_is_told() -> None:
    with pytest.raises(MissingDataError, match="No checkpoint can be read from"):
        read_checkpoint("http://[::1/x")


def test_a_compressed_file_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    source, target = tmp_path / "x.ckpt", tmp_path / "small.ckpt"
    FILES.save_checkpoint({"state_dict": {"weights": torch.zeros(1_000_000)}}, source)
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for record in whole.namelist():
            packed.writestr(record, whole.read(record))
    assert target.stat().st_size < 10_000
    with pytest.raises(CheckpointError, match="is compressed"):
        read_checkpoint(target)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds no checkpoint"),
        ({1: 2}, "holds no checkpoint"),
        ({"state_dict": [1]}, "cannot be used: its state_dict is not one of tensors"),
        ({"state_dict": {"head": 1}}, "cannot be used: its state_dict is not one of tensors"),
        (
            {"state_dict": {"head": torch.tensor([1.0, float("nan")])}},
            "cannot be used: the weight 'head' is not finite",
        ),
        (
            {"state_dict": {"head": torch.tensor([float("-inf")], dtype=torch.bfloat16)}},
            "cannot be used: the weight 'head' is not finite",
        ),
        ({"state_dict": {"head": torch.tensor([1j])}}, "cannot be used: the weight 'head' is complex"),
        (
            {"state_dict": {"head": torch.zeros(1).expand(100_000, 100_000)}},
            "cannot be used: the weight 'head' has more",
        ),
        ({"state_dict": {"head": torch.eye(3).to_sparse()}}, "cannot be used: the weight 'head' has more"),
        (
            {"state_dict": {"head": torch.zeros(3, device="meta")}},
            "cannot be used: the weight 'head' is no plain tensor",
        ),
        (
            {"state_dict": {"head": torch.zeros(3).to(torch.float8_e4m3fn)}},
            "cannot be used: the weight 'head' is of torch",
        ),
        ({"state_dict": {}, "callbacks": [1]}, "cannot be used: its callbacks is a list and no dict"),
    ],
)
def test_content_that_is_no_checkpoint_is_named(content: Any, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match=rf"x\.ckpt {message}"):
        read_checkpoint(tmp_path / "x.ckpt")


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (exec, ("raise SystemError('code ran')",))


def test_code_in_a_checkpoint_never_runs_even_if_allowed(tmp_path: Path) -> None:
    torch.save({"trap": Trap()}, tmp_path / "last.ckpt")
    with pytest.raises(CheckpointError, match=r"could run code \(exec\)") as told:
        WholeCheckpointIO().load_checkpoint(tmp_path / "last.ckpt", weights_only=False)
    assert "weights_only" not in str(told.value)
    assert told.value.__suppress_context__ or told.value.__context__ is None, "torch's advice to let code run"

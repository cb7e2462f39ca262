"""Checkpoint files are read without running code in them, and only if every part is as it was written."""

from __future__ import annotations

import hashlib
import os
import re
import struct
import tempfile
import zipfile
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any

import torch
from torch import Tensor

from gad_lightning.errors import CheckpointError, MissingDataError, SettingError
from gad_lightning.redact import redact
from gad_lightning.training.download import download

RESUME_KEY = "exact_resume"
"""Name of what a checkpoint says of its run and its place in it."""
DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    struct.error,
)
"""What the readers of zip archives and of torch raise at bytes that nobody wrote on purpose."""
KINDS: dict[str, type] = {"callbacks": dict, "loops": dict, "optimizer_states": list, "lr_schedulers": list}
"""Of what kind Lightning's own parts of a checkpoint are."""


FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""Numbers that weights may be."""
SEAL = b"gad_lightning sha256 "
"""What the digest of a file's bytes stands behind, in the comment of the archive."""
READ_BYTES = 1 << 20
END_RECORD = 20
"""Bytes of a zip archive's last record before the length of its comment."""


def is_whole(path: Path) -> bool:
    """Whether a file is a checkpoint that can be used, with every part as it was written, by its checksums."""
    try:
        with path.open("rb") as file:
            damage = _damage_of(file)
    except OSError:
        return False
    about = outline_of(path) if damage is None else None
    return about is not None and not _wrong_in(about)


def seal(path: Path) -> None:
    """Write a digest of all bytes of a checkpoint file into it, as the comment of its zip archive."""
    with path.open("r+b") as file:
        end = file.seek(0, 2) - 2
        note = SEAL + _digest_until(file, end)
        file.seek(end)
        file.write(struct.pack("<H", len(note)) + note)


def _digest_until(file: IO[bytes], end: int) -> bytes:
    """SHA-256 over the first bytes of an open file."""
    digest, left = hashlib.sha256(), end
    file.seek(0)
    while block := file.read(min(left, READ_BYTES)):
        digest.update(block)
        left -= len(block)
    return digest.hexdigest().encode()


def _damage_around(file: IO[bytes], comment: bytes) -> str | None:
    """What is wrong with an archive as a whole: bytes before or behind it, or a seal that does not fit.

    Args:
        file: open.
        comment: of the archive.
    """
    end = file.seek(0, 2) - len(comment) - 2
    file.seek(max(0, end - END_RECORD))
    last = file.read(END_RECORD + 2)
    file.seek(0)
    first = file.read(4)
    if (first, last[:4], last[END_RECORD:]) != (b"PK\3\4", b"PK\5\6", struct.pack("<H", len(comment))):
        return "it has bytes before or behind the archive"
    sealed = not comment or comment == SEAL + _digest_until(file, end)
    return None if sealed else "its bytes are not those that were written"


def _damage_of(file: IO[bytes]) -> str | None:
    """What is wrong with an open file as a checkpoint of torch, by its directory and checksums; None if nothing is.

    A checkpoint's records are stored as they are. A compressed one could unpack to any size, so it counts as damaged.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            around = _damage_around(file, archive.comment)
            if around is not None:
                return around
            for record in archive.infolist():
                if record.compress_type != zipfile.ZIP_STORED or record.file_size != record.compress_size:
                    return f"the record {record.filename!r} is compressed"
            broken = None if archive.comment else archive.testzip()  # a seal tells more than the checksums
            return None if broken is None else f"the record {broken!r} does not fit its checksum"
    except DAMAGED as error:
        return str(error) or type(error).__name__
    finally:
        file.seek(0)


def run_in(checkpoint: Mapping[str, Any]) -> str | None:
    """Name of the run that saved a checkpoint; None where it has none."""
    about = checkpoint.get(RESUME_KEY)
    run = about.get("run") if isinstance(about, Mapping) else None
    return run if isinstance(run, str) else None


def run_of(path: Path) -> str | None:
    """Name of the run that saved a checkpoint file; None if it has none or is no checkpoint."""
    about = outline_of(path)
    return None if about is None else run_in(about)


def outline_of(path: Path) -> Mapping[str, Any] | None:
    """Content of a checkpoint file whose numbers are not read but mapped; None if it is no file that can be read."""
    if path.is_symlink() or not path.is_file():
        return None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (*DAMAGED, UnpicklingError):
        return None
    return found if isinstance(found, Mapping) else None


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint file, or one at a URL, without running any code in it; errors show no password.

    Raises:
        SettingError: if it is no path, or a URL with user and password.
        MissingDataError: if there is no such file.
        CheckpointError: if it is damaged, no checkpoint, holds more than plain data, or weights that are no numbers.
    """
    if not isinstance(path, str | Path):
        raise SettingError(
            f"A checkpoint is read from a path or URL, got a {type(path).__name__}.",
            "give the path of a .ckpt file as a string or pathlib.Path",
        )
    shown = redact(str(path))
    if "://" in str(path):
        return _read_url(str(path), shown)
    if not os.path.isfile(path):
        raise MissingDataError(f"No checkpoint at {shown}.", "give the path of a .ckpt file, or its URL as a string")
    with Path(path).open("rb") as file:
        return _read_open(file, shown)


def _read_url(url: str, shown: str) -> dict[str, Any]:
    """Read a checkpoint from a URL; nothing is kept of it, so two of the same file name are never mixed up.

    It may take an hour and 16 GB, unless the environment says otherwise: see :mod:`gad_lightning.training.download`.

    Raises:
        SettingError: if user and password stand in it.
        MissingDataError: if nothing is there.
        CheckpointError: if it is cut short, no checkpoint, or holds more than plain data.
    """
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise SettingError(
            f"Checkpoints are not read from URLs with a user or password, such as {shown}.",
            "download the file and give its path",
        )
    try:
        with tempfile.TemporaryFile() as file:
            download(url, file)
            file.seek(0)
            return _read_open(file, shown)
    except (OSError, HTTPException, ImportError, ValueError) as error:
        reason = redact(str(error))
    # raised out here: the errors above can name the URL, and would be told along with this one
    raise MissingDataError(f"No checkpoint can be read from {shown}: {reason}.", "check the URL, or download the file")


def _read_open(file: IO[bytes], shown: str) -> dict[str, Any]:
    """Read an open checkpoint file without running any code in it, once its checksums are right.

    Raises:
        CheckpointError: if it is damaged, no checkpoint, holds more than plain data, or weights that are no numbers.
    """
    remedy = "use the checkpoint before it"
    damage = _damage_of(file)
    if damage is not None:
        raise CheckpointError(f"{shown} is damaged or no checkpoint: {damage}.", remedy)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        held = re.search(r"GLOBAL ([\w.]+)", str(error))
        reason = f"holds more than plain data, which could run code{(held and f' ({held[1]})') or ''}"
        remedy += ", or one from people you trust"
    except DAMAGED as error:
        reason = f"is damaged: {str(error).splitlines()[0].rstrip('.') if str(error) else type(error).__name__}"
    else:
        reason = _wrong_in(content)
        if not reason:
            found: dict[str, Any] = content
            return found
    # raised out here: torch's own errors advise to let code run
    raise CheckpointError(f"{shown} {reason}.", remedy)


def _wrong_in(content: object) -> str:
    """What makes the content of a file unusable as a checkpoint; empty if nothing does."""
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        return "holds no checkpoint"
    for name, kind in KINDS.items():
        if not isinstance(content.get(name, kind()), kind):
            return f"cannot be used: its {name} is a {type(content[name]).__name__} and no {kind.__name__}"
    weights = content.get("state_dict", {})
    if not isinstance(weights, dict) or not all(isinstance(weight, Tensor) for weight in weights.values()):
        return "cannot be used: its state_dict is not one of tensors"
    for name, weight in weights.items():
        if weight.is_nested or weight.is_meta or weight.is_quantized:
            return f"cannot be used: the weight {name!r} is no plain tensor"
        if weight.layout != torch.strided or weight.numel() * weight.element_size() > weight.untyped_storage().nbytes():
            return f"cannot be used: the weight {name!r} has more numbers than the file holds"
        if weight.is_complex():
            return f"cannot be used: the weight {name!r} is complex"
        if weight.is_floating_point() and weight.dtype not in FLOATS:
            return f"cannot be used: the weight {name!r} is of {weight.dtype}"
        if weight.is_floating_point() and not bool(weight.isfinite().all()):
            return f"cannot be used: the weight {name!r} is not finite"
    return ""

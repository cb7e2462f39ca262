"""Features of many videos in one .safetensors file, a *shard*, where a file a video would be too many files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gad_lightning.atomic import atomic_write
from gad_lightning.errors import DataError

SHARD = re.compile(r"shard-\d{6,}\.safetensors")
"""Names of shards."""
KINDS = {"float16": "F16", "float32": "F32"}
"""Number types, as .safetensors names them."""


def shard_name(number: int) -> str:
    """Name of the shard of a unit.

    Example:
        >>> shard_name(12)
        'shard-000012.safetensors'
    """
    return f"shard-{number:06d}.safetensors"


def write_shard(target: Path, files: Mapping[str, Path]) -> None:
    """Pack .npy files of float16 or float32 into one file, in constant memory, whole or not at all.

    Args:
        target: the shard.
        files: by the names of the videos.
    """
    header, place, starts = {}, 0, {}
    for name, path in files.items():
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        header[name] = {
            "dtype": KINDS[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [place, place + array.nbytes],
        }
        place, starts[name] = place + array.nbytes, path.stat().st_size - array.nbytes
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with atomic_write(target) as part, part.open("wb") as shard:
        shard.write(len(text).to_bytes(8, "little") + text)
        for name, path in files.items():
            with path.open("rb") as file:
                file.seek(starts[name])
                shutil.copyfileobj(file, shard)


def videos_of(shard: Path) -> list[str]:
    """Names of the videos of a shard.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        with shard.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return [name for name in header if name != "__metadata__"]
    except (OSError, ValueError, OverflowError, MemoryError) as error:
        raise DataError(
            f"{shard} is no shard of features: {error}.", "delete its unit's mark and encode again"
        ) from error


def packed_videos(folder: Path) -> dict[str, Path]:
    """The shard of every video that a folder has packed."""
    shards = sorted(path for path in folder.glob("shard-*.safetensors") if SHARD.fullmatch(path.name))
    return {name: shard for shard in shards for name in videos_of(shard)}

"""``features.json``: how the features of a folder were made, beside them."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

from gad_lightning.atomic import atomic_write
from gad_lightning.errors import DataError
from gad_lightning.schema import FeatureSpec

SIDECAR = "features.json"
"""Name of the file."""
FIELDS: dict[str, tuple[type, ...]] = {
    "encoder": (str,),
    "fps": (int, float),
    "width": (int,),
    "tokens_per_frame": (int,),
}
"""What every ``features.json`` states, and of which types."""
TIMES_FROM = "times_from"
"""Key of the rule for time 0: :data:`~gad_lightning.video.timing.TIME_ZERO`, or none for features of older versions."""
FIRST_PICTURE = "first picture"
"""Rule for time 0 of features whose ``features.json`` states none: times count from a video's first picture."""


def write_sidecar(folder: Path, spec: FeatureSpec, **more: Any) -> None:
    """Write ``features.json`` into a folder of features.

    Args:
        folder: where the features lie.
        spec: encoder, fps, width and tokens a frame.
        **more: what else is worth knowing (resize, number type ...), as plain data.
    """
    stated = {name: getattr(spec, name) for name in FIELDS}
    with atomic_write(folder / SIDECAR) as part:
        part.write_text(json.dumps({"format": 1, **stated, **more}, indent=1) + "\n", encoding="utf-8")


def read_sidecar(folder: Path) -> FeatureSpec | None:
    """Read how the features of a folder were made; None if nothing says so.

    Raises:
        DataError: if the file is damaged.
    """
    found = read_stated(folder)
    return None if found is None else FeatureSpec(**{name: found[name] for name in FIELDS})


def time_zero(folder: Path) -> str:
    """From when the times of a folder's features count: ``"container start"``, or ``"first picture"`` in older ones.

    Raises:
        DataError: if ``features.json`` is damaged.
    """
    return str((read_stated(folder) or {}).get(TIMES_FROM, FIRST_PICTURE))


def read_stated(folder: Path) -> dict[str, Any] | None:
    """Read all of ``features.json``; None if there is none.

    Raises:
        DataError: if the file is damaged.
    """
    path = folder / SIDECAR
    try:
        state = path.stat()
    except OSError:
        return None
    return _read(path, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _read(path: Path, changed: int) -> dict[str, Any]:
    """Read and check; ``changed`` makes a rewritten file another one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON: {error}.", "encode again, or write it anew") from error
    for name, types in FIELDS.items():
        value = found.get(name) if isinstance(found, dict) else None
        if not isinstance(value, types) or (isinstance(value, int | float) and not _can_be(value)):
            raise DataError(f"{path} has no proper {name!r}: {value!r}.", f"state {', '.join(FIELDS)}")
    return dict(found)


def _can_be(value: float) -> bool:
    """Whether a rate or a count is above 0 and finite."""
    return not isinstance(value, bool) and 0 < value < math.inf

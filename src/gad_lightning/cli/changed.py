"""Which settings of a run are not those that its checkpoint was made with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gad_lightning.results.run_folder import CONFIG, run_folder_of


def config_beside(checkpoint: Path) -> Path:
    """The config that a run leaves beside its checkpoints."""
    return run_folder_of(checkpoint) / CONFIG


def changed(before: Path, now: str) -> list[str]:
    """Say which values of ``model``, ``data`` and ``trainer`` differ.

    Args:
        before: a kept config.
        now: another one, as YAML.

    Returns:
        Lines such as ``data.batch_size: 4 -> 8``, sorted; what is not set on one side is null.
    """
    old, new = (_flat(yaml.safe_load(text)) for text in (before.read_text(encoding="utf-8"), now))
    names = sorted(name for name in {*old, *new} if name.partition(".")[0] in ("model", "data", "trainer"))
    return [f"{name}: {_word(old, name)} -> {_word(new, name)}" for name in names if old.get(name) != new.get(name)]


def _word(settings: Mapping[str, Any], name: str) -> str:
    """A value as YAML writes it."""
    value = settings.get(name)
    return "null" if value is None else str(value)


def _flat(settings: Any, name: str = "") -> dict[str, Any]:
    """Values by dotted name; a list is a value.

    Example:
        >>> _flat({"data": {"root": "videos", "windows": {"frames": 8}}})
        {'data.root': 'videos', 'data.windows.frames': 8}
    """
    if not isinstance(settings, dict) or not settings:
        return {name: settings}
    return {
        key: value
        for inner, part in settings.items()
        for key, value in _flat(part, f"{name}.{inner}" if name else str(inner)).items()
    }

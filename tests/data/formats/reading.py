"""Reads annotation files that tests write."""

from __future__ import annotations

import json
from pathlib import Path

from gad_lightning.data.formats.base import Annotation, Rules
from gad_lightning.data.formats.registry import FileFound, read_annotations

Row = tuple[str, float, float, str]


def read_file(folder: Path, name: str, content: object, rules: Rules | None = None) -> FileFound:
    """Write a text, or anything else as JSON, and read it."""
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, encoding="utf-8")
    return read_annotations([name], folder, rules).files[0]


def rows_of(annotations: list[Annotation]) -> list[Row]:
    """Annotations without places and scores, times to the microsecond."""
    return [(one.video, round(one.start, 6), round(one.end, 6), one.label) for one in annotations]


def rows(folder: Path, name: str, content: object, rules: Rules | None = None) -> list[Row]:
    """What a file holds."""
    return rows_of(read_file(folder, name, content, rules).reading.annotations)

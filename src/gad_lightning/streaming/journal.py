"""A log of JSON lines that is whole at any moment: each line is written and flushed by itself."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from gad_lightning.errors import SettingError
from gad_lightning.redact import redact

Value = str | int | float | bool | None


class Journal:
    """Writes what happens, one JSON object a line, from any thread; a log that is there already is continued.

    Every line has ``event`` and ``wall``, the time of writing in UTC. Texts are redacted, numbers that are not finite
    become null, as JSON has none.

    Args:
        path: the file; None writes nothing.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "watch.jsonl"
        >>> with Journal(path) as journal:
        ...     journal.write("label", label="stir", score=0.9)
        >>> json.loads(path.read_text())["label"]
        'stir'
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.lock = Lock()
        self.file: Any = None

    def __enter__(self) -> Self:
        """Open the file; a last line that was cut short is closed, so that the next one stands alone.

        Raises:
            SettingError: if it cannot be written.
        """
        if self.path is not None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.file = open(self.path, "a+b")
                if self.file.tell():
                    self.file.seek(-1, 2)
                    self.file.write(b"" if self.file.read(1) == b"\n" else b"\n")
            except OSError as error:
                raise _unwritable(self.path, error) from error
        return self

    def write(self, event: str, **values: Value) -> None:
        """Write one line.

        Raises:
            SettingError: if the disk does not take it.
        """
        line = {"event": event, "wall": datetime.now(UTC).isoformat(timespec="milliseconds")}
        text = json.dumps({**line, **{name: _plain(value) for name, value in values.items()}}, ensure_ascii=False)
        with self.lock:
            if self.file is None:
                return
            try:
                self.file.write(text.encode() + b"\n")
                self.file.flush()
            except OSError as error:
                raise _unwritable(self.path, error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; what a thread still writes is lost."""
        with self.lock:
            if self.file is not None:
                self.file.close()
            self.file = None


def _plain(value: Value) -> Value:
    """Bring a value into what JSON can hold and a log may show."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def _unwritable(path: Path | None, error: OSError) -> SettingError:
    """Say that a log cannot be written."""
    return SettingError(f"The log {path} cannot be written: {error.strerror}.", "set log to a file that is writable")

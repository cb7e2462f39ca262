"""Opens official annotation files as they are downloaded: plain, gzipped, or inside an archive (tar or zip)."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from gad_lightning.errors import DataError, MissingDataError

FOLDERS = ("", "annotations")
"""Where below ``data.root`` annotation files may lie."""
ARCHIVES = ("*.zip", "*.tar", "*.tar.gz", "*.tgz")
DAMAGED = (EOFError, gzip.BadGzipFile, tarfile.TarError, zipfile.BadZipFile, zlib.error, UnicodeDecodeError)
LAYOUT = ", or lay the files out like this:"
SHOWN = 2
"""Forms of a file that are named; more are looked for."""


class ExpectedFile(NamedTuple):
    """A file or a set of files that a data set looks for."""

    patterns: tuple[
        str, ...
    ]  # relative to the root; one match of any of them is enough, also with .gz after it; the first are named
    holds: str  # what is in it
    source: str = ""  # where it comes from
    needed: bool = True  # whether the data set cannot do without; False: see ``holds`` for when it is needed


def find_file(root: Path, *names: str) -> Path | None:
    """The first of ``names`` that lies in ``root`` or ``root/annotations``, as it is or gzipped; None if none does."""
    places = (root / folder / f"{name}{packed}" for name in names for folder in FOLDERS for packed in ("", ".gz"))
    return next((place for place in places if place.is_file()), None)


def _read_text(path: Path) -> str:
    """Read a UTF-8 text file, gzipped if its name ends in ``.gz``.

    Raises:
        DataError: if the file is damaged.
    """
    try:
        packed = path.read_bytes()
        return (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode("utf-8-sig")
    except DAMAGED as error:
        raise DataError(f"{path} is damaged: {error}.", "download it again") from error


def read_json(path: Path, key: str | None = None) -> Any:
    """Read a JSON file, gzipped or not; with ``key``, what stands under it.

    Raises:
        DataError: if it is no JSON, or has no such key.
    """
    try:
        whole = json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON: {error}.", "download it again") from error
    if key is not None and (not isinstance(whole, dict) or key not in whole):
        raise DataError(f"{path} has no entry {key!r}.", "use the official file")
    return whole if key is None else whole[key]


def read_table(path: Path, columns: Sequence[str], delimiter: str = ",") -> list[dict[str, str]]:
    """Read the rows of a text table with a header, gzipped or not.

    Raises:
        DataError: if one of ``columns`` is missing.
    """
    reader = csv.DictReader(io.StringIO(_read_text(path), newline=""), delimiter=delimiter)
    rows = list(reader)
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise DataError(f"{path} has no column {missing[0]!r}.", "use the official file, with its first line")
    return rows


def read_members(root: Path, *patterns: str) -> dict[str, str]:
    """Read all files that match ``patterns``, from an unpacked folder or from inside an archive; nothing is unpacked.

    Args:
        root: folder of the data set.
        *patterns: of paths relative to ``root`` or ``root/annotations``, or inside an archive there.

    Returns:
        Texts by file name, in the order of the names; empty if there are none.

    Raises:
        DataError: if an archive is damaged.
    """
    places = [root / folder for folder in FOLDERS]
    for place in places:
        found = {path.name: path for pattern in patterns for path in place.glob(pattern)}
        if found:
            return {name: _read_text(found[name]) for name in sorted(found)}
    for archive in (path for place in places for ending in ARCHIVES for path in sorted(place.glob(ending))):
        texts = _from_archive(archive, patterns)
        if texts:
            return texts
    return {}


def _from_archive(archive: Path, patterns: Sequence[str]) -> dict[str, str]:
    try:
        opened = _zipped(archive) if archive.suffix == ".zip" else _tarred(archive)
        members = ((name, read) for name, read in opened if any(fnmatch(name, pattern) for pattern in patterns))
        texts = {Path(name).name: read().decode("utf-8-sig") for name, read in members}
    except DAMAGED as error:
        raise DataError(f"{archive} is damaged: {error}.", "download it again") from error
    return dict(sorted(texts.items()))


def _tarred(archive: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    with tarfile.open(archive, "r:*") as opened:
        for member in opened:
            if (file := opened.extractfile(member)) is not None:
                yield member.name, file.read


def _zipped(archive: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            yield name, partial(opened.read, name)


def _is_there(root: Path, file: ExpectedFile) -> bool:
    """Whether one of the patterns of ``file`` matches something, archives counted by their names."""
    return any(
        next((root / folder).glob(f"{pattern}{packed}"), None) is not None
        for pattern in file.patterns
        for folder in FOLDERS
        for packed in ("", ".gz")
    )


def tree(root: Path, files: Sequence[ExpectedFile]) -> str:
    """Draw the files that are expected below ``root``, one a line, saying which are there."""
    lines = [str(root)]
    for file in files:
        state = "found" if _is_there(root, file) else ("MISSING" if file.needed else "not there")
        origin = f" ({file.source})" if file.source else ""
        lines.append(f"  {' or '.join(file.patterns[:SHOWN])}: {file.holds}{origin} [{state}]")
    return "\n".join(lines)


def missing(message: str, root: Path, files: Sequence[ExpectedFile]) -> MissingDataError:
    """The error for data that is not there, with the tree that is expected."""
    return MissingDataError(message, f"set data.root{LAYOUT}\n{tree(root, files)}")

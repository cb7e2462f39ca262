"""Which videos there are to encode, and whose folder of features it is."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from gad_lightning.atomic import make_folder
from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.parts import describe
from gad_lightning.schema import normalized
from gad_lightning.video.encoders import Encoder
from gad_lightning.video.encoding.run import Settings
from gad_lightning.video.features.sidecar import (
    FIELDS,
    FIRST_PICTURE,
    SIDECAR,
    TIMES_FROM,
    read_stated,
    write_sidecar,
)
from gad_lightning.video.timing import TIME_ZERO

VIDEO_ENDINGS = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts"}
    | {".vob", ".webm", ".wmv"}
)
"""Which files of a folder are taken for videos."""


def find_videos(videos: Path | str | Sequence[Path | str]) -> dict[str, Path]:
    """Find videos by name, which is the file's name without its ending.

    Args:
        videos: a folder, a text file with one path a line (relative to it), one video, or paths of videos.

    Raises:
        MissingDataError: if the folder or list is not there or names no video.
        DataError: if two videos have one name, or names that are read as one: a space more, or two Unicode forms.
    """
    paths = _list_paths(Path(videos)) if isinstance(videos, Path | str) else [Path(video) for video in videos]
    if not paths:
        others = ", ".join([*left_out(videos)][:5])
        raise MissingDataError(
            f"There is no video in {videos}{others and f', but {others}'}.",
            f"give a folder of {', '.join(sorted(VIDEO_ENDINGS))} files, a list of paths, or one video",
        )
    found: dict[str, Path] = {}
    first: dict[str, Path] = {}  # by name as it is read
    for path in paths:
        other = first.setdefault(normalized(path.stem), path)
        if path.stem in found:
            raise DataError(
                f"{other} and {path} would both become {path.stem}.npy.", "rename one, or encode them apart"
            )
        if other is not path:
            raise DataError(
                f"The names of {other} and {path} are read as one ({other.name!a}, {path.name!a}).",
                "rename one, or encode them apart",
            )
        found[path.stem] = path
    return found


def _list_paths(source: Path) -> list[Path]:
    """Paths that a folder or a text file lists, or the one video that ``source`` is."""
    if os.path.isdir(source):
        shown = (path for path in source.iterdir() if not path.name.startswith("."))
        return sorted(path for path in shown if path.suffix.lower() in VIDEO_ENDINGS and path.is_file())
    if not os.path.exists(source):
        raise MissingDataError(f"There is no {source}.", "give a folder of videos, a list of paths, or a video")
    if source.suffix.lower() != ".txt":
        return [source]
    lines = [line.strip().strip('"') for line in _text_of(source).splitlines()]
    return [_as_stored(source.parent / line) for line in lines if line and not line.startswith("#")]


def _text_of(path: Path) -> str:
    """Text of a list in UTF-8, or in UTF-16 as Windows writes it, with a mark at the start or without.

    Raises:
        DataError: if it is in neither.
    """
    data = path.read_bytes()
    encoding = "utf-8-sig"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\0" in data:  # the high bytes of letters, dots and slashes
        encoding = "utf-16-be" if data[::2].count(0) > data[1::2].count(0) else "utf-16-le"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"The list {path} is not in UTF-8: byte {error.start} is 0x{data[error.start]:02x}.", "save it as UTF-8"
        ) from error
    if "\0" in text:
        raise DataError(f"The list {path} is not in UTF-8: a zero stands in it.", "save it as UTF-8")
    return text.replace("\ufeff", "")  # lists that were joined have a mark in the middle


def _as_stored(path: Path) -> Path:
    """A listed path as the disk has it: macOS keeps accents apart (Unicode form NFD), Windows has backslashes."""
    if not os.path.exists(path) and "\\" in path.name:
        path = path.parent / path.name.replace("\\", "/")
    if os.path.exists(path) or not os.path.isdir(path.parent):
        return path
    name = unicodedata.normalize("NFC", path.name)
    same = (other for other in path.parent.iterdir() if unicodedata.normalize("NFC", other.name) == name)
    return next(same, path)


def video_of(folder: Path, name: str) -> Path | None:
    """The file of a video in a folder, None if it has none; a name that leads out of the folder has none."""
    home = folder.resolve()
    for suffix in sorted(VIDEO_ENDINGS) if "\x00" not in name else ():
        found = (home / f"{name}{suffix}").resolve()
        if found.is_relative_to(home) and found.is_file():
            return found
    return None


def left_out(videos: Path | str | Sequence[Path | str]) -> dict[str, str]:
    """What of a folder is not taken for a video, and why; of hidden files only videos count.

    Args:
        videos: as for :func:`find_videos`; a list or paths leave nothing out.
    """
    if not isinstance(videos, Path | str) or not os.path.isdir(videos):
        return {}
    found: dict[str, str] = {}
    for path in sorted(Path(videos).iterdir()):
        if path.name.startswith("."):
            if path.suffix.lower() in VIDEO_ENDINGS:
                found[path.name] = "a hidden file; a list or the path alone takes it"
        elif path.is_dir():
            found[path.name] = "a folder"
        elif not path.exists():
            found[path.name] = "a link to nothing"
        elif path.suffix.lower() not in VIDEO_ENDINGS:
            found[path.name] = "its ending is not one of a video; a list or the path alone takes it"
        elif not path.is_file():
            found[path.name] = "a pipe, socket or device"
    return found


def claim(folder: Path, encoder: Encoder, settings: Settings) -> None:
    """Make ``folder`` one for features of this kind, or check that it is.

    Raises:
        DataError: if it holds features made in another way, or nobody knows how.
        SettingError: if it cannot be written.
    """
    make_folder(folder)
    spec = encoder.feature_spec(settings.fps)
    recipe = describe(encoder.recipe) | ({"deinterlace": True} if settings.deinterlace else {})
    more = {"dtype": settings.dtype, "recipe": recipe, TIMES_FROM: TIME_ZERO}
    about = {name: getattr(spec, name) for name in FIELDS} | more
    stated = read_stated(folder)
    if stated is None:
        first = next(folder.glob("*.npy"), None)
        if first is not None:
            raise DataError(
                f"{folder} holds {first.name} and no {SIDECAR}: how it was made is unknown.", "use another folder"
            )
        write_sidecar(folder, spec, **more, made_by=encoder.spec())
        return
    stated = {TIMES_FROM: FIRST_PICTURE, **stated}
    for name, value in about.items():
        if stated.get(name) != value:
            raise DataError(
                f"{folder} holds features with {name} {stated.get(name)!r}; these would have {value!r}.",
                "use another folder, or encode with the settings of its features.json"
                if name != TIMES_FROM
                else "use another folder, or delete this one: an older version made it, whose times count otherwise",
            )

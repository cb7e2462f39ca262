"""Which videos there are to encode, and whose folder of features it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gad_lightning.atomic import make_folder
from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.parts import describe
from gad_lightning.video.encoders import Encoder
from gad_lightning.video.features.sidecar import FIELDS, SIDECAR, read_stated, write_sidecar

VIDEO_ENDINGS = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts"}
    | {".vob", ".webm", ".wmv"}
)
"""Which files of a folder are taken for videos."""
COMPARED = (*FIELDS, "dtype", "recipe")
"""What must agree before features are added to a folder."""


def find_videos(videos: Path | str | Sequence[Path | str]) -> dict[str, Path]:
    """Find videos by name, which is the file's name without its ending.

    Args:
        videos: a folder, a text file with one path a line (relative to it), one video, or paths of videos.

    Raises:
        MissingDataError: if the folder or list is not there or names no video.
        DataError: if two videos have one name.
    """
    paths = _list_paths(Path(videos)) if isinstance(videos, Path | str) else [Path(video) for video in videos]
    if not paths:
        raise MissingDataError(
            f"There is no video in {videos}.", f"give a folder of {', '.join(sorted(VIDEO_ENDINGS))} files, or paths"
        )
    found: dict[str, Path] = {}
    for path in paths:
        if path.stem in found:
            raise DataError(
                f"{found[path.stem]} and {path} would both become {path.stem}.npy.", "rename one, or encode them apart"
            )
        found[path.stem] = path
    return found


def _list_paths(source: Path) -> list[Path]:
    """Paths that a folder or a text file lists, or the one video that ``source`` is."""
    if source.is_dir():
        return sorted(path for path in source.iterdir() if path.suffix.lower() in VIDEO_ENDINGS and path.is_file())
    if not source.exists():
        raise MissingDataError(f"There is no {source}.", "give a folder of videos, a list of paths, or a video")
    if source.suffix != ".txt":
        return [source]
    lines = [line.strip() for line in source.read_text().splitlines()]
    return [source.parent / line for line in lines if line and not line.startswith("#")]


def claim(folder: Path, encoder: Encoder, fps: float, dtype: str) -> None:
    """Make ``folder`` one for features of this kind, or check that it is.

    Raises:
        DataError: if it holds features made in another way, or nobody knows how.
        SettingError: if it cannot be written.
    """
    make_folder(folder)
    spec = encoder.feature_spec(fps)
    about = {name: getattr(spec, name) for name in FIELDS} | {"dtype": dtype, "recipe": describe(encoder.recipe)}
    stated = read_stated(folder)
    if stated is None:
        first = next(folder.glob("*.npy"), None)
        if first is not None:
            raise DataError(
                f"{folder} holds {first.name} and no {SIDECAR}: how it was made is unknown.", "use another folder"
            )
        write_sidecar(folder, spec, dtype=dtype, recipe=about["recipe"], made_by=encoder.spec())
        return
    for name in COMPARED:
        if stated.get(name) != about[name]:
            raise DataError(
                f"{folder} holds features with {name} {stated.get(name)!r}; these would have {about[name]!r}.",
                "use another folder, or encode with the settings of its features.json",
            )

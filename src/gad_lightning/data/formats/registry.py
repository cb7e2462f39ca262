"""Finds the annotation formats, reads files of any of them, and writes files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import NamedTuple

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.data.formats.base import Annotation, AnnotationFormat, LabeledVideo, Reading, Rules, merged
from gad_lightning.data.formats.source import Source
from gad_lightning.errors import DataError, GadError, MissingDataError, SettingError


class FileFound(NamedTuple):
    """What one annotation file held."""

    format: AnnotationFormat
    reading: Reading

    @property
    def lines(self) -> list[str]:
        """What was left out and why, and the rules that were applied."""
        return self.left_out + self.reading.said

    @property
    def left_out(self) -> list[str]:
        """What was left out and why."""
        left_out = self.reading.left_out.items()
        return [f"left out {len(places)} x {why}, first {places[0]}" for why, places in left_out]


class Found(NamedTuple):
    """What annotation files hold together."""

    files: list[FileFound]
    annotations: list[Annotation]  # overlapping stretches of one label of a video are one

    @property
    def merged(self) -> int:
        """Stretches that became part of another one."""
        return sum(len(file.reading.annotations) for file in self.files) - len(self.annotations)

    @property
    def splits(self) -> dict[str, str]:
        """Splits of the annotated videos, if a file says any; those that none says are for training."""
        said = {video: split for file in self.files for video, split in file.reading.splits.items()}
        return {found.video: said.get(found.video, "train") for found in self.annotations if said}

    @property
    def told(self) -> list[str]:
        """Per file, what was left out and why, and the rules that were applied; nothing of files taken as they are."""
        return [f"{file.reading.path}: {'; '.join(lines)}." for file in self.files if (lines := file.lines)]


@cache
def formats() -> Mapping[str, AnnotationFormat]:
    """All formats by name: every file of this folder that has a ``FORMAT``.

    Example:
        >>> formats()["elan"].title
        'ELAN'
    """
    folder = Path(__file__).parent
    found = [vars(import_module(f"{__package__}.{one.name}")).get("FORMAT") for one in iter_modules([str(folder)])]
    return {one.name: one for one in found if isinstance(one, AnnotationFormat)}


def format_named(name: str) -> AnnotationFormat:
    """A format by its name.

    Raises:
        SettingError: if there is none of that name.
    """
    if name not in formats():
        raise SettingError(f"There is no annotation format {name!r}.", f"use one of {', '.join(formats())}")
    return formats()[name]


def recognized(path: Path) -> AnnotationFormat | None:
    """The format of a file; None if it is of none, or damaged."""
    source = Source(path)
    try:
        return next((one for one in formats().values() if source.opening and one.recognizes(source)), None)
    except GadError:
        return None


def read_annotations(
    given: Sequence[str | Path], root: Path, rules: Rules | None = None, name: str | None = None
) -> Found:
    """Read annotation files, each of the format that its content shows.

    Args:
        given: paths or patterns such as ``*.eaf``, in ``root`` or as they are.
        root: folder of the data.
        rules: how they are read.
        name: of the format of all of them; None looks at each.

    Raises:
        MissingDataError: if a file is not there.
        DataError: if one is damaged, of no known format, or nothing of it can be used.
    """
    files = [_read(path, rules or Rules(), name) for path in _files(given, root)]
    return Found(files, merged(found for file in files for found in file.reading.annotations))


def _read(path: Path, rules: Rules, name: str | None) -> FileFound:
    """Read one file."""
    source = Source(path)
    if name is not None:
        chosen = format_named(name)
    else:
        known = [one for one in formats().values() if source.opening and one.recognizes(source)]
        begins = f"begins with {source.text.strip()[:40]!r}" if source.opening else "is empty"
        if not known:
            raise DataError(
                f"{path} is in no annotation format that is known: it {begins}.",
                f"export it as one of {', '.join(one.title for one in formats().values())}; "
                "a table of your own needs the columns video, start, end, label",
            )
        chosen = known[0]
    reading = Reading(path, rules, chosen.ending)
    chosen.read(source, reading)
    if not reading.annotations:
        why = "; ".join(FileFound(chosen, reading).left_out)
        raise DataError(
            f"{path} ({chosen.title}) holds no stretch that can be used{why and f': {why}'}.",
            "label some stretches, or change what is left out (--point_seconds, --tiers, --labels)",
        )
    return FileFound(chosen, reading)


def write_annotations(
    videos: Iterable[LabeledVideo], folder: Path, chosen: AnnotationFormat, overwrite: bool = False
) -> list[Path]:
    """Write annotations to ``folder``: a file a video, or one ``annotations`` file, as the format has it.

    Args:
        videos: what to write.
        folder: made if it is not there; nothing outside it is written.
        chosen: the format.
        overwrite: replace files that are there.

    Returns:
        The files.

    Raises:
        SettingError: if a file is there already, or cannot be written.
        DataError: if the name of a video is none of a file.
    """
    every = list(videos)
    parts = [(video.name, [video]) for video in every] if chosen.one_video else [("annotations", every)]
    targets = []
    for name, _ in parts:
        if name in ("", ".", "..") or "/" in name or "\\" in name or "\x00" in name:
            raise DataError(f"{name!r} is no name of a video that a file could have.", "rename the video")
        targets.append(make_folder(folder) / f"{name}{chosen.ending}")
        check_free(targets[-1], overwrite)
    for target, (_, part) in zip(targets, parts, strict=True):
        with atomic_write(target) as unfinished:
            unfinished.write_text(chosen.write(part), encoding="utf-8")
    return targets


def check_free(target: Path, overwrite: bool) -> None:
    """Refuse a file that is there, unless it may be replaced.

    Raises:
        SettingError: naming the file.
    """
    if target.exists() and not overwrite:
        raise SettingError(f"{target} is there already.", "add --overwrite=true to replace it, or take another folder")


def _files(given: Sequence[str | Path], root: Path) -> list[Path]:
    """Files that paths or patterns such as ``*.eaf`` name; they are looked for in ``root``, then as they are.

    Raises:
        MissingDataError: if one names nothing.
    """
    found: list[Path] = []
    for one in map(Path, given):
        pattern = any(letter in one.name for letter in "*?[")
        places = (root / one.parent, one.parent) if pattern else (root / one, one)
        here = [sorted(place.glob(one.name)) if pattern else [place] * place.is_file() for place in places]
        files = next((files for files in here if files), [])
        if not files:
            raise MissingDataError(f"There is no annotation file {one}, nor in {root}.", "check the path")
        found += files
    return list(dict.fromkeys(found))

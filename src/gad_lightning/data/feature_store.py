"""Where the features of own videos are: given as files, or encoded once from the videos."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import torch
from filelock import FileLock

from gad_lightning.atomic import make_folder
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.schema import normalized
from gad_lightning.video.damage import Broken
from gad_lightning.video.encode import REPORT, encode_videos
from gad_lightning.video.encoders import Encoder, SmallEncoder
from gad_lightning.video.encoding.report import Outcome, read_report
from gad_lightning.video.encoding.run import Settings
from gad_lightning.video.encoding.source import is_replaced
from gad_lightning.video.encoding.video_files import VIDEO_ENDINGS, left_out
from gad_lightning.video.features.arrays_on_disk import READERS
from gad_lightning.video.features.feature_file import FeatureFile
from gad_lightning.video.features.packed import SHARD, packed_videos
from gad_lightning.video.features.sidecar import read_sidecar, time_zero
from gad_lightning.video.timing import TIME_ZERO

FPS = 4.0
"""Frames a second that videos are encoded at where nothing else is said."""


class FeatureStore:
    """Finds ``features/<video>.npy`` (.pt, .safetensors), or encodes ``videos/<video>.<ending>`` once and finds that.

    Features made here stay in ``encoded/<encoder>-<fps>fps`` until that folder is deleted. They are made when a split's
    records are asked for, so never in a loader process; of several processes that ask at once, one encodes.

    Args:
        root: folder of ``features`` and ``videos``.
        fps: frames a second, of features that do not say and of those to be made.
        encoder: makes features of videos; the built-in small one if None.
        broken: what a damaged video gives, see :class:`~gad_lightning.VideoFile`. A warning names those that were
            encoded in part, in every run; ``"refuse"`` makes an error of it.
    """

    def __init__(self, root: Path, fps: float | None, encoder: Encoder | None, broken: Broken = "keep") -> None:
        self.root, self.fps, self.given_encoder, self.broken = root, fps, encoder, broken

    @cached_property
    def encoder(self) -> Encoder:
        """As given, or the built-in small one."""
        return self.given_encoder or SmallEncoder()

    @property
    def cache(self) -> Path:
        """Folder of features made here: one for each encoder and rate."""
        rate = FPS if self.fps is None else self.fps
        return self.root / "encoded" / re.sub(r"[^\w.-]+", "_", f"{self.encoder.label}-{rate:g}fps")

    @property
    def given(self) -> Path:
        """Folder of features that somebody else made."""
        return self.root / "features"

    @property
    def videos(self) -> Path:
        """Folder of the videos: ``videos``, or ``root`` itself where there is no such folder."""
        return self.root / "videos" if (self.root / "videos").is_dir() else self.root

    @property
    def names(self) -> set[str]:
        """All videos that the folder has features or a video file of."""
        return {*_by_name(self.given, READERS), *packed_videos(self.given), *_by_name(self.videos, VIDEO_ENDINGS)}

    def file_of(self, name: str) -> Path | None:
        """The video file of a name; None if there is none."""
        return next(iter(_by_name(self.videos, VIDEO_ENDINGS).get(name, [])), None)

    def open(self, names: Sequence[str]) -> dict[str, FeatureFile]:
        """Find the features of videos, encoding those that have none.

        Raises:
            MissingDataError: if a video has neither features nor a video file.
            SettingError: if ``fps`` contradicts what is written beside the features.
        DataError: if two files have one name.
        """
        stated = read_sidecar(self.given)
        if stated is not None and self.fps not in (None, stated.fps):
            raise SettingError(
                f"data.fps is {self.fps:g}, and {self.given} says its features are at {stated.fps:g} a second.",
                "leave data.fps out, or make the features at that rate",
            )
        paths: dict[str, Path | None] = dict.fromkeys(names)
        there, packed = _by_name(self.given, READERS), packed_videos(self.given)
        for name in names:
            paths[name] = _feature_file(name, there[name]) if name in there else packed.get(name)
        left = [name for name, path in paths.items() if path is None]
        paths.update(self._encoded(left))
        return {
            name: FeatureFile(path, self.fps, video=name if path == packed.get(name) else None)
            for name, path in paths.items()
            if path is not None
        }

    def _encoded(self, names: Sequence[str]) -> dict[str, Path]:
        if not names:
            return {}
        here, there = _by_name(self.cache, READERS), _by_name(self.videos, VIDEO_ENDINGS)
        noted = read_report(self.cache / REPORT).videos
        made = {name: _feature_file(name, here[name]) for name in names if name in here}
        left = [name for name in names if name not in made or _is_replaced(made[name], there.get(name, ()), noted)]
        if left:
            missing = {name: self._video(name, there.get(name, [])) for name in left}
            with FileLock(make_folder(self.cache) / ".lock"):
                self._encode(list(missing.values()))  # what another process has encoded meanwhile is skipped
            here = _by_name(self.cache, READERS)
        paths = {name: _feature_file(name, here[name]) for name in names}
        self._tell_newer(paths)
        self._tell_incomplete(paths.values())
        return paths

    def _tell_newer(self, paths: Mapping[str, Path]) -> None:
        """Warn of videos that were changed after their features were made, where no report tells what these are of."""
        videos, noted = _by_name(self.videos, VIDEO_ENDINGS), read_report(self.cache / REPORT).videos
        unknown = {name: path for name, path in paths.items() if path.stem not in noted or not noted[path.stem].source}
        made = {name: path.stat().st_mtime for name, path in unknown.items()}
        newer = [name for name in made for video in videos.get(name, ()) if video.stat().st_mtime > made[name]]
        if newer:
            warnings.warn(
                f"{len(newer)} videos are newer than their features, first {newer[0]!r}: if they show something else "
                f"now, delete {paths[newer[0]]} and the like, and they are encoded again.",
                stacklevel=4,
            )

    def _tell_incomplete(self, paths: Iterable[Path]) -> None:
        """Warn of videos that were encoded in part, and of features with another time 0.

        Raises:
            DataError: if a video was encoded in part and that is refused.
        """
        outcomes = read_report(self.cache / REPORT).videos
        problems = {path.stem: outcomes[path.stem].problem for path in paths if path.stem in outcomes}
        told = [f"{name} {problem}" for name, problem in problems.items() if problem is not None]
        if told:
            more = f" (and {len(told) - 3} more)" if len(told) > 3 else ""
            text = f"{len(told)} of {len(outcomes)} videos are not whole: {'; '.join(told[:3])}{more}."
            if self.broken == "refuse":
                raise DataError(text, f"replace them and delete their features in {self.cache}, or set broken to keep")
            warnings.warn(f"{text} See {self.cache / REPORT}.", stacklevel=4)
        if time_zero(self.cache) != TIME_ZERO:
            warnings.warn(
                f"The features in {self.cache} are of an older version, whose times count from a video's first picture "
                "and not from its start. Delete the folder to encode the videos again.",
                stacklevel=4,
            )

    def _encode(self, videos: Sequence[Path]) -> None:
        if not videos:
            return
        self.encoder.to("cuda" if torch.cuda.is_available() else "cpu")
        settings = Settings(fps=FPS if self.fps is None else self.fps, broken=self.broken)
        report = encode_videos(videos, self.cache, self.encoder, settings, progress=sys.stderr.isatty())
        self.encoder.to("cpu")
        broken = report.names("broken")
        if broken:
            raise DataError(
                f"{len(broken)} of {len(videos)} videos cannot be encoded; {broken[0]}: "
                f"{report.videos[broken[0]].problem}",
                "replace them or take them out of the CSV files; the others are encoded and kept",
            )

    def _video(self, name: str, found: Sequence[Path]) -> Path:
        if len(found) == 1:
            return found[0]
        if found:
            raise _two_of_one_name(name, found)
        others = left_out(self.videos).items()
        beside = [f" {other} is not taken: {why}." for other, why in others if normalized(Path(other).stem) == name]
        raise MissingDataError(
            f"The video {name!r} has neither {self.given / name}.npy nor {self.root / 'videos' / name}.mp4."
            + "".join(beside),
            "put one of them there, or correct the name in the CSV files (a file's name without its ending)",
        )


def _is_replaced(features: Path, videos: Sequence[Path], noted: Mapping[str, Outcome]) -> bool:
    """Whether features were made of another file than the video that is there now."""
    source = noted[features.stem].source if features.stem in noted else None
    return any(is_replaced(source, video) for video in videos)


def _by_name(folder: Path, endings: Collection[str]) -> dict[str, list[Path]]:
    """Files of a folder by the name of their video, as CSV files name it; some disks keep names in Unicode form NFD.

    Hidden files, such as macOS leaves beside others, and files of several videos are none of them.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.*")):
        if (
            path.suffix.lower() in endings
            and path.is_file()
            and not (path.name[0] == "." or SHARD.fullmatch(path.name))
        ):
            found.setdefault(normalized(path.stem), []).append(path)
    return found


def _feature_file(name: str, found: Sequence[Path]) -> Path:
    """Which of the feature files of one video is read: the first kind of :data:`READERS`.

    Raises:
        DataError: if two names are read as one, as ``a.npy`` and ``a .npy`` are.
    """
    kinds = {path.suffix.lower(): path for path in found}
    if len(kinds) < len(found) or len({path.stem for path in found}) > 1:
        raise _two_of_one_name(name, found)
    return next(kinds[ending] for ending in READERS if ending in kinds)


def _two_of_one_name(name: str, found: Sequence[Path]) -> DataError:
    """The error that names two files of one video, as they are stored where a person sees no difference."""
    one, other = (str(path) if path.name.isascii() else f"{path} ({path.name!a})" for path in found[:2])
    return DataError(f"{name!r} is the name of {one} and of {other}.", "keep one of them")

"""Reads features: only the rows that are asked for, from one file a video or from several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gad_lightning.errors import DataError, SettingError
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.features.arrays_on_disk import open_array
from gad_lightning.video.features.sidecar import FIELDS, SIDECAR, read_sidecar

Rows = NDArray[np.int64] | slice


class FeatureFile:
    """The features of one video in one file: (F, D) or (F, N, D) in float16, bfloat16, float32 or float64.

    Making one reads nothing, and it travels to worker processes. ``features.json`` in the same folder, as written by
    ``gad-lightning encode``, says how the features were made and goes before ``fps`` and ``encoder``.

    Args:
        path: a .npy, .pt or .safetensors file; all are mapped into memory, none can run code.
        fps: frames a second, where no ``features.json`` says so.
        encoder: what made them, where no ``features.json`` says so.
        video: its name in a .safetensors file of several videos, see ``gad-lightning encode --pack``.
    """

    def __init__(
        self, path: Path | str, fps: float | None = None, encoder: str = "unknown", video: str | None = None
    ) -> None:
        self.path = Path(path)
        self.video = video
        self.fps = fps
        self.encoder = encoder

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """F, N and D."""
        found = open_array(self.path, self.video).shape
        return (found[0], 1, found[1]) if len(found) == 2 else (found[0], found[1], found[2])

    @property
    def num_frames(self) -> int:
        """F."""
        return self.shape[0]

    @cached_property
    def spec(self) -> FeatureSpec:
        """How the features were made.

        Raises:
            DataError: if the file's shape contradicts ``features.json``.
            SettingError: if nothing says how many frames a second they are.
        """
        _, tokens, width = self.shape
        stated = read_sidecar(self.path.parent)
        if stated is not None:
            check_features(FeatureSpec(stated.encoder, stated.fps, width, tokens), stated, self.path)
            return stated
        if self.fps is None:
            raise SettingError(
                f"Nothing says at how many frames a second {self.path} was made.",
                f"set data.fps (in Python fps=...), or write {SIDECAR} beside it, with {', '.join(FIELDS)}",
            )
        return FeatureSpec(self.encoder, self.fps, width, tokens)

    def rows(self, frames: Rows) -> NDArray[np.float32]:
        """Read frames by number, (n,) int64 or a slice: (n, N, D) float32, all finite.

        Raises:
            MissingDataError: if the file is gone.
            DataError: if it cannot be read or a value is NaN or infinite, naming the frame.
        """
        block = open_array(self.path, self.video).pick(frames)
        if not np.isfinite(block).all():
            bad = int(np.flatnonzero(~np.isfinite(block).reshape(len(block), -1).all(1))[0])
            frame = int(np.arange(self.num_frames)[frames][bad])
            raise DataError(f"Frame {frame} of {self.path} holds NaN or infinite values.", "encode the video again")
        return block.reshape(len(block), *self.shape[1:])


class SideBySide:
    """Several feature files of one video, such as RGB and flow: joined along D.

    Args:
        files: of one length, rate and number of tokens.
    """

    def __init__(self, files: Sequence[FeatureFile]) -> None:
        self.files = tuple(files)

    @property
    def path(self) -> Path:
        """The first file."""
        return self.files[0].path

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files."""
        return tuple(file.path for file in self.files)

    @property
    def num_frames(self) -> int:
        """F.

        Raises:
            DataError: if the files differ in length.
        """
        first = self.files[0]
        for file in self.files[1:]:
            if file.num_frames != first.num_frames:
                raise DataError(
                    f"{first.path} has {first.num_frames} frames and {file.path} has {file.num_frames}.",
                    "make both from the same video at the same fps",
                )
        return first.num_frames

    @cached_property
    def spec(self) -> FeatureSpec:
        """Widths added up, names joined by ``+``; the rest must agree."""
        specs = [file.spec for file in self.files]
        for file, spec in zip(self.files, specs, strict=True):
            check_features(spec._replace(encoder=specs[0].encoder, width=specs[0].width), specs[0], file.path)
        encoder = "+".join(dict.fromkeys(spec.encoder for spec in specs))
        return specs[0]._replace(encoder=encoder, width=sum(spec.width for spec in specs))

    def rows(self, frames: Rows) -> NDArray[np.float32]:
        """Read frames of all files; see :meth:`FeatureFile.rows`."""
        return np.concatenate([file.rows(frames) for file in self.files], axis=2)


def open_features(
    paths: Sequence[Path], fps: float | None = None, encoder: str = "unknown"
) -> FeatureFile | SideBySide:
    """Open the features of one video, from one file or several side by side; see :class:`FeatureFile`."""
    files = [FeatureFile(path, fps, encoder) for path in paths]
    return files[0] if len(files) == 1 else SideBySide(files)


def check_features(found: FeatureSpec, expected: FeatureSpec, where: Path | str) -> None:
    """Refuse features of another kind; statistics are not compared.

    Args:
        found: how these were made.
        expected: how they should have been made.
        where: the file, named in the error.

    Raises:
        DataError: naming what differs, both values and the file.

    Example:
        >>> check_features(FeatureSpec(fps=4), FeatureSpec(fps=4.0), "a.npy")
    """
    for field in FIELDS:
        here, there = getattr(found, field), getattr(expected, field)
        if here != there:
            raise DataError(
                f"The features of {where} have {field} {here!r}; {there!r} is expected.",
                "encode the videos again with the settings that are expected, or use the features' own settings",
            )

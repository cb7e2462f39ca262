"""One process's part of an encoding run: pictures into batches, features into files."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gad_lightning.errors import DataError
from gad_lightning.video.ahead import Ahead, ChildDecoder, DecodeTask, End, Piece, ThreadDecoder
from gad_lightning.video.damage import Broken
from gad_lightning.video.encoders import Encoder
from gad_lightning.video.encoding.report import EncodeReport, Outcome, Progress
from gad_lightning.video.encoding.source import is_replaced, source_of
from gad_lightning.video.features.npy_writer import NpyWriter

PIECE = 16
"""Pictures that travel together from decoder to encoder."""
NOTHING: Mapping[str, Outcome] = MappingProxyType({})
REPLACED = "is another file than before, so its features were made again"
LONGEST_NAME = 255
"""Bytes of a file's name that file systems take."""


class Settings(NamedTuple):
    """How videos become features."""

    fps: float = 4.0  # feature frames a second
    dtype: Literal["float16", "float32"] = "float16"  # on disk
    broken: Broken = "keep"  # what a damaged file gives, see VideoFile
    batch_size: int = 32  # pictures, of whatever videos, that are encoded together
    workers: int = 0  # decoding processes; 0 decodes in a thread of this one, which cannot be killed
    patience: float = 120.0  # seconds without a decoded picture after which a decoding process is killed
    deinterlace: bool = False  # keep one field of pictures marked interlaced


class Batches:
    """Collects pictures of many videos until there is a batch, encodes it, and gives every video its features.

    Args:
        encoder: loaded.
        batch_size: pictures from which on a batch is encoded.
        write: called with the number of a video and its next (n, N, D) float32 features, in order.
    """

    def __init__(self, encoder: Encoder, batch_size: int, write: Callable[[int, NDArray[np.float32]], None]) -> None:
        self.encoder, self.batch_size, self.write = encoder, batch_size, write
        self.pieces: list[Piece] = []

    def add(self, piece: Piece) -> None:
        """Take pictures; pictures of another size begin another batch."""
        if self.pieces and piece.pictures.shape[1:] != self.pieces[0].pictures.shape[1:]:
            self.flush()
        self.pieces.append(piece)
        if sum(len(piece.pictures) for piece in self.pieces) >= self.batch_size:
            self.flush()

    @torch.inference_mode()
    def flush(self) -> None:
        """Encode what has been collected."""
        if not self.pieces:
            return
        pieces, self.pieces = self.pieces, []
        pictures = torch.from_numpy(np.concatenate([piece.pictures for piece in pieces]))
        features = self.encoder(pictures.to(self.encoder.device)).float().cpu().numpy()
        ends = np.cumsum([len(piece.pictures) for piece in pieces])
        for piece, block in zip(pieces, np.split(features, ends[:-1]), strict=True):
            self.write(piece.number, block)


class EncodingRun:
    """Encodes videos into a folder and notes what became of each.

    Args:
        folder: gets ``<video>.npy``.
        encoder: loaded, on its device.
        settings: see :class:`Settings`.
        finished: called with each feature file that this run completes, while later videos are being decoded.
    """

    def __init__(
        self, folder: Path, encoder: Encoder, settings: Settings, finished: Callable[[Path], object] | None = None
    ) -> None:
        self.folder, self.encoder, self.settings, self.finished = folder, encoder, settings, finished
        self.batches = Batches(encoder, settings.batch_size, self._write)
        self.outcomes: dict[str, Outcome] = {}
        self.start = time.perf_counter()
        self.names: list[str] = []
        self.writers: dict[int, NpyWriter] = {}
        self.waiting: Counter[int] = Counter()  # pictures decoded and not yet written, by video
        self.ended: dict[int, End] = {}
        self.failed: dict[int, str] = {}
        self.sources: dict[str, str] = {}  # of the videos to be encoded
        self.replaced: set[str] = set()  # those whose features were made of another file

    def report(self) -> EncodeReport:
        """What has become of the videos so far."""
        return EncodeReport(dict(self.outcomes), time.perf_counter() - self.start)

    def encode(self, videos: Mapping[str, Path], progress: bool, before: Mapping[str, Outcome] = NOTHING) -> None:
        """Encode the videos whose features are not there yet, or are those of another file of this name.

        Args:
            videos: by name.
            progress: show a bar.
            before: what earlier runs noted.
        """
        self.names = list(videos)
        self._look_around(videos, before)
        settings = self.settings
        tasks = [
            DecodeTask(
                number, videos[name], settings.fps, self.encoder.shrink, settings.broken, PIECE, settings.deinterlace
            )
            for number, name in enumerate(self.names)
            if name not in self.outcomes
        ]
        with _progress_of(len(tasks), progress) as bar, ExitStack() as files:
            self.files = files
            for message in Ahead(self._decoders(len(tasks)), tasks):
                if isinstance(message, End):
                    self.ended[message.number] = message
                elif message.number not in self.failed:
                    self.waiting[message.number] += len(message.pictures)
                    self.batches.add(message)
                self._finish(bar)
            self.batches.flush()
            self._finish(bar)

    def _look_around(self, videos: Mapping[str, Path], before: Mapping[str, Outcome]) -> None:
        """Note the videos whose features are there or could have no name, and what the others are."""
        for name in self.names:
            if len(os.fsencode(f"{name}.npy")) > LONGEST_NAME:
                why = f"its name is too long for a feature file (more than {LONGEST_NAME} bytes); rename it"
                self.outcomes[name] = Outcome("broken", problem=why)
                continue
            is_there, noted = self._target(name).is_file(), before.get(name)
            if is_there and not (noted is not None and is_replaced(noted.source, videos[name])):
                self.outcomes[name] = Outcome("skipped")
                continue
            if is_there:
                self.replaced.add(name)
            with suppress(OSError):  # the decoder says what is wrong with the file
                self.sources[name] = source_of(videos[name])

    def _target(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _decoders(self, num_tasks: int) -> list[ThreadDecoder] | list[ChildDecoder]:
        if self.settings.workers == 0:
            return [ThreadDecoder(self.encoder.prepare)]
        as_decoded = type(self.encoder).prepare is Encoder.prepare
        spec = None if as_decoded else self.encoder.spec()
        return [ChildDecoder(spec, self.settings.patience) for _ in range(min(self.settings.workers, num_tasks))]

    def _write(self, number: int, features: NDArray[np.float32]) -> None:
        """Add features to the file of a video; numbers that the file cannot hold break that video, not the run."""
        self.waiting[number] -= len(features)
        if number in self.failed:
            return
        if number not in self.writers:
            writer = NpyWriter(self._target(self.names[number]), self.settings.dtype)
            self.writers[number] = self.files.enter_context(writer)
        try:
            self.writers[number].append(features)
        except DataError as error:
            self.failed[number] = error.message

    def _finish(self, bar: Progress) -> None:
        """Complete the videos of which everything is written."""
        for number in [number for number in self.ended if not self.waiting[number]]:
            end, name = self.ended.pop(number), self.names[number]
            writer, why = self.writers.pop(number, None), end.why or self.failed.get(number)
            seconds = end.report.seconds if end.report else 0.0
            if why is not None or writer is None:
                outcome = Outcome("broken", seconds=seconds, problem=why)
                if writer is not None:
                    writer.__exit__(None, None, None)
            else:
                with writer:
                    writer.finish()
                problem, note = (end.report.problem, end.report.note) if end.report else (None, None)
                notes = [note, REPLACED if name in self.replaced else None]
                note = "; ".join(filter(None, notes)) or None
                outcome = Outcome("encoded", writer.num_rows, seconds, problem, note, self.sources.get(name))
            self.outcomes[name] = outcome
            bar.finished(outcome)
            if self.finished is not None and outcome.state == "encoded":
                self.finished(self._target(name))


@contextmanager
def _progress_of(total: int, show: bool) -> Iterator[Progress]:
    """Show a bar over ``total`` videos, or count in silence."""
    if not show:
        yield Progress(None, total)
        return
    from rich import progress

    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), progress.MofNCompleteColumn())
    speed = progress.TextColumn("{task.fields[speed]}")
    with progress.Progress(*columns, progress.TimeRemainingColumn(), speed) as bar:
        yield Progress(bar, total)

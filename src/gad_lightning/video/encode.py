"""Videos -> features: one file a video, decoded and encoded at the same time, never half written."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.video.ahead import DecodeTask, Piece, decode_pieces
from gad_lightning.video.damage import Broken
from gad_lightning.video.encoders import Encoder
from gad_lightning.video.encoding.report import EncodeReport, Outcome, carry_over, merge, read_report
from gad_lightning.video.encoding.run import PIECE, Batches, EncodingRun, Settings
from gad_lightning.video.encoding.video_files import claim, find_videos, left_out

REPORT = "encode_report.json"
"""Name of the report in the folder of features."""
DEFAULTS = Settings()


def encode_video(
    path: Path | str,
    encoder: Encoder,
    fps: float,
    dtype: Literal["float16", "float32"] = "float16",
    broken: Broken = "keep",
) -> NDArray[np.float32]:
    """Encode one video in memory: (F, N, D) float32, with the numbers that its feature file would have.

    Args:
        path: the video.
        encoder: runs where it is.
        fps: feature frames a second; frame i is what is shown at ``i / fps`` seconds.
        dtype: number type of the file, to whose precision the features are rounded.
        broken: what a damaged file gives, see :class:`~gad_lightning.VideoFile`; a warning says what is missing.

    Raises:
        MissingDataError: if there is no such file.
        DataError: if nothing of it can be decoded, something cannot and is refused, or a feature is not finite.
    """
    if not os.path.exists(path):
        raise MissingDataError(f"There is no video {path}.", "check the path")
    encoder.load()
    blocks: list[NDArray[np.float32]] = []
    batches = Batches(encoder, DEFAULTS.batch_size, lambda _, block: blocks.append(block))
    for message in decode_pieces(DecodeTask(0, Path(path), fps, encoder.shrink, broken, PIECE), encoder.prepare):
        if isinstance(message, Piece):
            batches.add(message)
        elif message.why is not None:
            raise DataError(message.why, "check the file" if broken != "refuse" else "repair it, or allow broken parts")
        elif message.report is not None and (told := message.report.problem or message.report.note):
            warnings.warn(f"{path} {told}.", stacklevel=2)
    batches.flush()
    features = np.concatenate(blocks).astype(dtype).astype(np.float32)
    if not np.isfinite(features).all():
        raise DataError(f"The features of {path} are not finite in {dtype}.", "use an encoder of smaller values")
    return features


def encode_videos(
    videos: Path | str | Sequence[Path | str],
    output: Path | str,
    encoder: Encoder,
    settings: Settings = DEFAULTS,
    progress: bool = False,
    shard: tuple[int, int] = (0, 1),
    finished: Callable[[Path], object] | None = None,
) -> EncodeReport:
    """Encode videos to ``output/<video>.npy``; those that are there already are kept, broken ones stop nothing.

    The features of a video that has been replaced by another file are made again.

    May be killed at any point and called again. ``features.json`` beside the features says how they were made, and
    other settings are refused; ``encode_report.json`` says what became of every video.

    Args:
        videos: a folder, a text file with a path a line, or paths.
        output: folder of the features.
        encoder: runs where it is; ``encoder.to("cuda")`` before, for a GPU.
        settings: rate, number type, batches, workers.
        progress: show a bar.
        shard: ``(i, n)`` encodes every n-th video from the i-th on. Parts may run at once, in processes or on machines
            that share ``output``; each adds what it did to the report.
        finished: called with each feature file as it is completed, while later videos are being decoded: to label it,
            for example.

    Raises:
        MissingDataError: if there is no video.
        DataError: if ``output`` holds features made in another way.
        SettingError: if ``output`` cannot be written.
    """
    found, folder = find_videos(videos), Path(output)
    encoder.load()
    claim(folder, encoder, settings)
    before = read_report(folder / REPORT).videos
    run = EncodingRun(folder, encoder, settings, finished)
    done = False
    try:
        run.encode(dict(list(found.items())[shard[0] :: shard[1]]), progress, before)
        done = True
    finally:
        # a full disk takes no report either: what stopped the run is told
        with nullcontext() if done else suppress(SettingError):
            report = _report(run, before, left_out(videos), folder, shard)
    return report


def _report(
    run: EncodingRun, before: Mapping[str, Outcome], left: dict[str, str], folder: Path, shard: tuple[int, int]
) -> EncodeReport:
    """Write what became of the videos, beside what earlier runs and other parts wrote; returns this run's."""
    mine = carry_over(run.report(), before)._replace(left_out=left)
    if shard[1] == 1:
        others = {n: one._replace(state="skipped") if one.state == "encoded" else one for n, one in before.items()}
        merge([EncodeReport(others, 0.0), mine]).write(folder / REPORT)
    else:
        mine.write(folder / f".{REPORT}.{shard[0]}of{shard[1]}")
        parts = [read_report(path) for path in sorted(folder.glob(f".{REPORT}.*of{shard[1]}"))]
        merge(parts).write(folder / REPORT)
    return mine

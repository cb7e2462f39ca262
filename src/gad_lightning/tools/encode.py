"""Make features of a folder or list of videos, with any vision encoder."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from gad_lightning.errors import DataError, SettingError
from gad_lightning.escape import print_safely
from gad_lightning.video.damage import Broken
from gad_lightning.video.encode import REPORT, encode_videos
from gad_lightning.video.encoders import Encoder, SmallEncoder
from gad_lightning.video.encoding.huggingface import HuggingFaceEncoder
from gad_lightning.video.encoding.report import EncodeReport, read_report
from gad_lightning.video.encoding.run import Settings

if TYPE_CHECKING:
    from lightning.fabric import Fabric

SHORT_NAMES = (SmallEncoder, HuggingFaceEncoder)
"""Encoders that the command line knows by their class name alone; others need their whole path."""
SMALL = (
    "note: the built-in encoder knows drawn kitchens only; for real videos add --encoder=HuggingFaceEncoder "
    "--encoder.name_or_folder=google/siglip2-base-patch16-224 or another vision model, and a new output folder"
)


def main(
    videos: Path,
    output: Path,
    encoder: Encoder | None = None,
    fps: float = 4.0,
    dtype: Literal["float16", "float32"] = "float16",
    broken: Broken = "keep",
    batch_size: int = 32,
    workers: int = 1,
    patience: float = 120.0,
    accelerator: str = "auto",
    devices: int | str = "auto",
    part: str = "1/1",
    deinterlace: bool = False,
    progress: bool = True,
) -> None:
    """Encode videos to ``output/<video>.npy``, one row of features per frame at ``fps``.

    A run that was stopped or killed goes on where it was; broken videos stop nothing. ``encode_report.json`` says what
    became of every video, ``features.json`` how the features were made.

    Args:
        videos: folder of videos, text file with one path a line, or one video.
        output: folder of the features.
        encoder: class of a vision encoder and its arguments; the built-in small one by default.
        fps: feature frames a second; frame i is what is shown at i / fps seconds.
        dtype: number type on disk.
        broken: of a damaged video, keep what is whole (the last picture before damage stands until the next key frame),
            skip only what cannot be decoded, or refuse the video.
        batch_size: pictures encoded together.
        workers: processes that decode, for each device; 0 decodes in a thread.
        patience: seconds without a decoded picture after which a decoding process is killed, its video broken.
        accelerator: cpu, cuda, mps ... or auto.
        devices: how many of them, or auto for all; each video is encoded by one.
        part: 2/3 encodes the second third of the videos, for several machines that share ``output``.
        deinterlace: keep one field of pictures marked interlaced, so that what moves shows no comb.
        progress: show a bar.
    """
    settings = Settings(fps, dtype, broken, batch_size, workers, patience, deinterlace)
    least = {"fps": 0, "batch_size": 0, "patience": 0, "workers": -1}
    for name, value in (("fps", fps), ("batch_size", batch_size), ("patience", patience), ("workers", workers)):
        if not value > least[name]:
            bound = "0 or more" if name == "workers" else "above 0"
            raise SettingError(f"{name} must be {bound}, got {value:g}.", f"set --{name} to a number {bound}")
    chosen = SmallEncoder() if encoder is None else encoder
    report = _on_devices(videos, output, chosen, settings, progress, accelerator, devices, _read_part(part))
    _tell(report, output, built_in=encoder is None)


def _tell(report: EncodeReport, output: Path, built_in: bool) -> None:
    """Say what became of the videos.

    Raises:
        DataError: if nothing could be encoded.
    """
    print_safely(f"{report.summary()}\nfeatures and {REPORT} are in {output}")
    if built_in:
        print_safely(SMALL)
    broken = report.names("broken")
    for name in broken:
        print_safely(f"broken: {name}: {report.videos[name].problem}")
    for name in report.names("encoded"):
        outcome = report.videos[name]
        if outcome.problem is not None:
            print_safely(f"incomplete: {name}: {outcome.problem}")
        if outcome.note is not None:
            print_safely(f"put right: {name}: {outcome.note}")
    by_reason: dict[str, list[str]] = {}
    for name, why in report.left_out.items():
        by_reason.setdefault(why, []).append(name)
    for why, names in by_reason.items():
        print_safely(f"left out: {', '.join(names)} ({why})")
    if broken and len(broken) == len(report.videos):
        raise DataError(f"None of the {len(broken)} videos could be encoded.", f"see {output / REPORT}")


def _read_part(part: str) -> tuple[int, int]:
    """Turn ``"2/3"`` into (1, 3).

    Raises:
        SettingError: if it is no such share.

    Example:
        >>> _read_part("2/3")
        (1, 3)
    """
    first, _, total = part.partition("/")
    if not (first.isdigit() and total.isdigit() and 1 <= int(first) <= int(total)):
        raise SettingError(f"part is a share of the videos such as 2/3, got {part!r}.", "give 1/1 for all videos")
    return int(first) - 1, int(total)


def _on_devices(
    videos: Path,
    output: Path,
    encoder: Encoder,
    settings: Settings,
    progress: bool,
    accelerator: str,
    devices: int | str,
    part: tuple[int, int],
) -> EncodeReport:
    """Share the videos out among devices, a process each, and join their reports.

    The processes do not wait for each other: a collective call would give up after half an hour.

    Raises:
        SettingError: if there are no such devices.
    """
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available())
    if on_cpu and devices in (1, "1", "auto"):  # Lightning takes seconds to import
        return encode_videos(videos, output, encoder, settings, progress, part)
    fabric = _make_fabric(accelerator, devices)
    fabric.launch(partial(_encode_part, videos, output, encoder, settings, progress, part))
    return read_report(output / REPORT)


def _make_fabric(accelerator: str, devices: int | str) -> Fabric:
    """Choose devices as Lightning does; processes are started here unless torchrun or SLURM has started them.

    Raises:
        SettingError: if there are no such devices.
    """
    from lightning.fabric import Fabric

    outside = "TORCHELASTIC_RUN_ID" in os.environ or "SLURM_NTASKS" in os.environ
    try:
        fabric = Fabric(accelerator=accelerator, devices=devices)
        if fabric.world_size > 1 and not outside:
            fabric = Fabric(accelerator=accelerator, devices=devices, strategy="ddp_spawn")
    except (RuntimeError, ValueError, ImportError) as error:
        raise SettingError(
            f"accelerator {accelerator!r} with devices {devices!r} cannot be used: {error}", "set accelerator to cpu"
        ) from error
    return fabric


def _encode_part(
    videos: Path,
    output: Path,
    encoder: Encoder,
    settings: Settings,
    progress: bool,
    part: tuple[int, int],
    fabric: Fabric,
) -> None:
    """Encode the share of one device."""
    shard = (part[0] * fabric.world_size + fabric.global_rank, part[1] * fabric.world_size)
    encoder.load()
    encode_videos(videos, output, encoder.to(fabric.device), settings, progress and fabric.is_global_zero, shard)

"""Make features of a folder or list of videos, with any vision encoder."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch

from gad_lightning.errors import DataError, SettingError
from gad_lightning.escape import print_safely
from gad_lightning.jobs.ray_engine import map_units
from gad_lightning.video.damage import Broken
from gad_lightning.video.encode import REPORT, encode_videos
from gad_lightning.video.encoders import Encoder, SmallEncoder
from gad_lightning.video.encoding.huggingface import HuggingFaceEncoder
from gad_lightning.video.encoding.report import EncodeReport, read_report
from gad_lightning.video.encoding.run import Settings
from gad_lightning.video.encoding.units import UnitEncoder

if TYPE_CHECKING:
    from lightning.fabric import Fabric

SHORT_NAMES = (SmallEncoder, HuggingFaceEncoder)
"""Encoders that the command line knows by their class name alone; others need their whole path."""
SMALL = (
    "note: the built-in encoder knows drawn kitchens only; for real videos add --encoder=HuggingFaceEncoder "
    "--encoder.name_or_folder=google/siglip2-base-patch16-224 or another vision model, and a new output folder"
)


def main(
    videos: str,
    output: str,
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
    unit: int | None = None,
    pack: bool = False,
    engine: Literal["lightning", "ray"] = "lightning",
    actors: int = 1,
    actor_gpus: float = 0.0,
) -> None:
    """Encode videos to ``output/<video>.npy``, one row of features per frame at ``fps``.

    A stopped or killed run goes on where it was; ``encode_report.json`` says what became of every video.

    Args:
        videos: folder of videos, text file with one path a line, or one video; with unit, an object store's address.
        output: folder of the features; with unit, an object store's address too.
        encoder: class of a vision encoder and its arguments; the built-in small one by default.
        fps: feature frames a second; frame i is what is shown at i / fps seconds.
        dtype: number type on disk.
        broken: of a damaged video, keep what is whole, skip only what cannot be decoded, or refuse the video.
        batch_size: pictures encoded together.
        workers: processes that decode, for each device; 0 decodes in a thread.
        patience: seconds without a decoded picture after which a decoding process is killed, its video broken.
        accelerator: cpu, cuda, mps ... or auto.
        devices: how many of them, or auto for all; each video is encoded by one.
        part: 2/3 encodes the second third of the videos, for several machines that share ``output``.
        deinterlace: keep one field of pictures marked interlaced, so that what moves shows no comb.
        progress: show a bar.
        unit: take so many videos at a time, shared with further jobs of this command; manifest.csv tells of them.
        pack: with unit, write the features of a unit to one file.
        engine: with unit, lightning for processes here, or ray for actors of a cluster of Ray.
        actors: with ray, how many.
        actor_gpus: with ray, GPUs of each.
    """
    settings = _checked(Settings(fps, dtype, broken, batch_size, workers, patience, deinterlace))
    shared = _shared(unit, pack, engine, actors, actor_gpus, part)
    _encode(videos, output, encoder, settings, shared, progress, accelerator, devices, part)


class _Shared(NamedTuple):
    """How units are shared."""

    unit: int
    pack: bool
    engine: Literal["lightning", "ray"]
    actors: int
    gpus: float


def _shared(
    unit: int | None, pack: bool, engine: Literal["lightning", "ray"], actors: int, gpus: float, part: str
) -> _Shared | None:
    """How units are shared; None without units.

    Raises:
        SettingError: if a setting of units is given without them, or one of the others with them.
    """
    if unit is None:
        for name, given in (("pack", pack), ("engine", engine == "ray"), ("actors", actors != 1), ("actor_gpus", gpus)):
            if given:
                raise SettingError(
                    f"--{name} was given without --unit, and means something with it only.", "add --unit=64"
                )
        return None
    if part != "1/1":
        raise SettingError(
            f"--part={part} and --unit={unit} both share the videos out.",
            "leave --part out: jobs take units as they come",
        )
    return _Shared(unit, pack, engine, actors, gpus)


def _checked(settings: Settings) -> Settings:
    """Settings that can work.

    Raises:
        SettingError: naming the one that cannot.
    """
    least = {"fps": 0, "batch_size": 0, "patience": 0, "workers": -1}
    for name, bound in least.items():
        value = settings._asdict()[name]
        if not value > bound:
            told = "0 or more" if name == "workers" else "above 0"
            raise SettingError(f"{name} must be {told}, got {value:g}.", f"set --{name} to a number {told}")
    return settings


def _encode(
    videos: str,
    output: str,
    encoder: Encoder | None,
    settings: Settings,
    shared: _Shared | None,
    progress: bool,
    accelerator: str,
    devices: int | str,
    part: str,
) -> None:
    """Encode, and say what became of the videos."""
    chosen = SmallEncoder() if encoder is None else encoder
    if shared is None:
        where = (Path(videos), Path(output))
        report = _on_devices(*where, chosen, settings, progress, accelerator, devices, _read_part(part))
        _tell(report, Path(output), built_in=encoder is None)
        return
    make = partial(UnitEncoder, videos, output, chosen, settings, shared.unit, shared.pack)
    if shared.engine == "ray":
        made = make()
        left = sorted(set(range(len(made.units))) - made.units.done())
        map_units(partial(_actor, make, os.getcwd()), left, shared.actors, cpus=1, gpus=shared.gpus)
    elif _on_cpu(accelerator, devices):
        make().encode()
    else:
        _make_fabric(accelerator, devices).launch(partial(_encode_units, make))
    made = make()
    broken = made.finish()
    print_safely(
        f"{len(made.units.done())} of {len(made.units)} units of {len(made.found):,} videos are done, {len(broken)} "
        f"videos broken; features and manifest.csv are in {made.place}"
    )
    for video, _, _, problem in broken[:5]:
        print_safely(f"broken: {video}: {problem}")
    if encoder is None:
        print_safely(SMALL)


def _actor(make: Callable[[], UnitEncoder], folder: str) -> Callable[[int], None]:
    """Load the encoder in an actor, where paths mean what they do here; gives what encodes a unit."""
    if os.path.isdir(folder):
        os.chdir(folder)
    made = make()
    made.encoder.to("cuda" if torch.cuda.is_available() else "cpu")
    return lambda number: made.encode([number])


def _encode_units(make: Callable[[], UnitEncoder], fabric: Fabric) -> None:
    """Encode the units that one device gets hold of."""
    made = make()
    made.encoder.to(fabric.device)
    made.encode()


def _on_cpu(accelerator: str, devices: int | str) -> bool:
    """Whether this process alone encodes, on the CPU: Lightning takes seconds to import."""
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available())
    return on_cpu and devices in (1, "1", "auto")


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
    if _on_cpu(accelerator, devices):
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

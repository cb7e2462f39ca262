"""What decoding, encoding and reading cost, as ratios measured in one run.

    python experiments/bench/encode.py                                    # the rendered kitchen, the small encoder
    python experiments/bench/encode.py --videos FOLDER --encoder FOLDER   # your videos, a Hugging Face vision model

Three ratios, each of the best of interleaved repeats:

- decoding, sampling and resizing against plain PyAV decoding of the same frames, nothing converted (at least 0.8);
- decoding and encoding together against the slower of the two alone (at least 0.8);
- a window out of mapped features against converting the whole half-hour file (at least 3), and out of a ten-hour file
  (no slower).

Results go to ``experiments/bench/results/encode_<videos>_<encoder>.json``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import seconds_of, store  # isort: skip  # sets how threads wait, before torch is there
import av
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from gad_lightning.errors import DataError
from gad_lightning.video.ahead import Ahead, DecodeTask, Piece, ThreadDecoder
from gad_lightning.video.base import Resize
from gad_lightning.video.decode import VideoFile
from gad_lightning.video.encode import Settings, encode_videos
from gad_lightning.video.encoders import Encoder, SmallEncoder
from gad_lightning.video.encoding.huggingface import HuggingFaceEncoder
from gad_lightning.video.encoding.run import PIECE
from gad_lightning.video.encoding.video_files import find_videos
from gad_lightning.video.features.feature_file import FeatureFile
from gad_lightning.video.kitchen.synthetic import render_kitchen

FPS = 4.0
SIZE = 320
"""Height and width of the rendered videos: about what data sets are stored at; drawn pictures of 96 cost nothing."""


def interleaved(works: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Best seconds of each, taken in turns so that a busy neighbor has no favourite."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            times[name] += seconds_of(work, 1, warm_up=0) if turn else seconds_of(work, 0)
    return {name: min(found) for name, found in times.items()}


def plain(paths: list[Path]) -> int:
    """Decode all frames with PyAV on one thread, as the library does, and convert nothing."""
    count = 0
    for path in paths:
        with av.open(str(path)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            count += sum(1 for _ in container.decode(video=0))
    return count


def ours(paths: list[Path], resize: Resize | None, fps: float | None) -> int:
    """Decode, sample by time, convert and resize."""
    return sum(1 for path in paths for _ in VideoFile(path, fps, resize))


def decoding(paths: list[Path], side: int, repeats: int) -> dict[str, float]:
    """Frames a second and the ratio; every decoded frame is converted and resized."""
    works = {
        "plain": lambda: plain(paths),
        "ours": lambda: ours(paths, Resize(side), None),
        "ours_4fps": lambda: ours(paths, Resize(side), FPS),
    }
    seconds, frames = interleaved(works, repeats), plain(paths)
    return {
        "frames": frames,
        "plain_frames_per_second": frames / seconds["plain"],
        "resized_frames_per_second": frames / seconds["ours"],
        "ratio_all_frames": seconds["plain"] / seconds["ours"],
        "ratio_at_4_fps": seconds["plain"] / seconds["ours_4fps"],
    }


def alone(paths: list[Path], encoder: Encoder, fps: float) -> tuple[dict[str, Callable[[], Any]], int]:
    """Decoding with what the encoder wants prepared, and encoding, each by itself; and the number of frames."""
    encoder.load()
    tasks = [DecodeTask(number, path, fps, encoder.shrink, "keep", PIECE) for number, path in enumerate(paths)]
    pieces = [m.pictures for m in Ahead([ThreadDecoder(encoder.prepare)], tasks) if isinstance(m, Piece)]
    batches = torch.from_numpy(np.concatenate(pieces)).split(Settings().batch_size)

    def encode() -> None:
        with torch.inference_mode():
            for batch in batches:
                encoder(batch)

    works = {"decode": lambda: list(Ahead([ThreadDecoder(encoder.prepare)], tasks)), "encode": encode}
    return works, sum(len(batch) for batch in batches)


def together(paths: list[Path], encoder: Encoder, fps: float, repeats: int) -> dict[str, float]:
    """Decode and prepare alone, encode alone, both at once with files written."""
    works, frames = alone(paths, encoder, fps)

    def both() -> None:
        with tempfile.TemporaryDirectory() as folder:
            encode_videos(paths, folder, encoder, Settings(fps=fps))

    seconds = interleaved({**works, "both": both}, repeats)
    return {
        "encoded_frames": frames,
        **{f"{name}_frames_per_second": frames / value for name, value in seconds.items()},
        "ratio_to_slower": max(seconds["decode"], seconds["encode"]) / seconds["both"],
    }


def reading(repeats: int) -> dict[str, float]:
    """Windows of 32 frames at random places of files of half an hour and of ten hours, against a whole conversion."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name, hours in (("half_hour", 0.5), ("ten_hours", 10.0)):
            path = Path(folder) / f"{name}.npy"
            np.save(path, rng.standard_normal((int(hours * 3600 * FPS), 768), dtype=np.float32).astype(np.float16))
            files[name] = FeatureFile(path, FPS)

        def window(name: str) -> Callable[[], Any]:
            starts = rng.integers(0, files[name].num_frames - 32, 50)
            return lambda: [files[name].rows(np.arange(start, start + 32)) for start in starts]

        works = {
            "half_hour": window("half_hour"),
            "ten_hours": window("ten_hours"),
            "convert": lambda: np.load(files["half_hour"].path).astype(np.float32),
        }
        seconds = interleaved(works, repeats)
    return {
        "window_milliseconds": 1000 * seconds["half_hour"] / 50,
        "window_of_ten_hours_milliseconds": 1000 * seconds["ten_hours"] / 50,
        "convert_half_hour_milliseconds": 1000 * seconds["convert"],
        "ratio_window_to_convert": seconds["convert"] / (seconds["half_hour"] / 50),
        "ratio_ten_hours_to_half_hour": seconds["half_hour"] / seconds["ten_hours"],
    }


def readable(paths: list[Path]) -> list[Path]:
    """Videos that plain decoding gets through."""
    kept = []
    for path in paths:
        try:
            ours([path], Resize(32), None)
            plain([path])
        except (DataError, av.error.FFmpegError):
            continue
        kept.append(path)
    return kept


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, help="folder of videos; renders 12 kitchen videos if left out")
    parser.add_argument("--encoder", help="folder or hub name of a vision model; the small encoder if left out")
    parser.add_argument("--side", type=int, default=96, help="pictures are resized to this")
    parser.add_argument("--fps", type=float, default=FPS, help="of the features")
    parser.add_argument("--threads", type=int, default=1, help="of torch; one core is left to decode on two")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        source = options.videos or render_kitchen(folder, 12, size=SIZE).videos
        paths = readable(list(find_videos(source).values()))
        encoder = HuggingFaceEncoder(options.encoder) if options.encoder else SmallEncoder()
        results = {
            "decoding": decoding(paths, options.side, options.repeats),
            "together": together(paths, encoder, options.fps, options.repeats),
            "reading": reading(options.repeats),
        }
    table = Table("part", "figure", "value")
    for part, figures in results.items():
        for name, value in figures.items():
            table.add_row(part, name, f"{value:,.2f}")
    Console().print(table)
    videos = options.videos.name if options.videos else "kitchen"
    named = {"videos": videos, "encoder": encoder.label, "fps": options.fps, "repeats": options.repeats}
    store(f"encode_{videos}_{encoder.name}", named | results, options.output)


if __name__ == "__main__":
    main()

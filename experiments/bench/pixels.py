"""Pixels to labels: decoding, encoding and labeling video files, against the slower of decoding and encoding alone.

    python experiments/bench/pixels.py                                    # the rendered kitchen, the small encoder
    python experiments/bench/pixels.py --videos FOLDER --encoder FOLDER   # your videos, a Hugging Face vision model

Files are decoded while earlier ones are encoded and labeled, in one pass. Results go to
``experiments/bench/results/pixels_<videos>_<encoder>.json``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from measure import store  # isort: skip  # sets how threads wait, before torch is there
import torch
from encode import FPS, SIZE, alone, interleaved, readable
from rich.console import Console
from rich.table import Table
from shapes import class_names, make
from speed import CLASSES, KINDS, WIDTHS, WINDOW

from gad_lightning.schema import FeatureSpec, Windows
from gad_lightning.video.encode import Settings, encode_videos
from gad_lightning.video.encoders import Encoder, SmallEncoder
from gad_lightning.video.encoding.huggingface import HuggingFaceEncoder
from gad_lightning.video.encoding.video_files import find_videos
from gad_lightning.video.kitchen.synthetic import render_kitchen


def measure(paths: list[Path], encoder: Encoder, shape: str, fps: float, repeats: int) -> dict[str, float]:
    """Frames a second of decoding, encoding, labeling features, and of all three; and the ratio."""
    works, frames = alone(paths, encoder, fps)
    width = encoder.width
    windows, features = Windows("one_pass", WINDOW, chunk=512), FeatureSpec(encoder.label, fps, width)
    classifier = make(KINDS["GAD"], shape, windows, features, class_names(CLASSES), "cpu").eval()
    classifier.backbone.merge()

    def all_of_it() -> None:
        with tempfile.TemporaryDirectory() as folder:
            encode_videos(paths, folder, encoder, Settings(fps=fps), finished=classifier.detect)

    seconds = interleaved({**works, "pixels_to_labels": all_of_it}, repeats)
    return {
        "frames": frames,
        **{f"{name}_frames_per_second": frames / value for name, value in seconds.items()},
        "ratio_to_slower": max(seconds["decode"], seconds["encode"]) / seconds["pixels_to_labels"],
    }


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, help="folder of videos; renders 12 kitchen videos if left out")
    parser.add_argument("--encoder", help="folder or hub name of a vision model; the small encoder if left out")
    parser.add_argument("--shape", choices=WIDTHS, default="tiny")
    parser.add_argument("--fps", type=float, default=FPS)
    parser.add_argument("--threads", type=int, default=1, help="of torch; one core is left to decode on two")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        source = given.videos or render_kitchen(folder, 12, size=SIZE).videos
        paths = readable(list(find_videos(source).values()))
        encoder = HuggingFaceEncoder(given.encoder) if given.encoder else SmallEncoder()
        figures = measure(paths, encoder, given.shape, given.fps, given.repeats)
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.2f}")
    Console().print(table)
    videos = given.videos.name if given.videos else "kitchen"
    named = {"videos": videos, "encoder": encoder.label, "shape": given.shape, "fps": given.fps}
    print(store(f"pixels_{videos}_{encoder.name}", named | figures, given.output))


if __name__ == "__main__":
    main()

"""Cost per frame against length: one pass over ever longer videos, and a live stream that never ends.

    python experiments/bench/length.py

Does anything grow? Frames a second of one pass over 1,000 to 100,000 frames; and of live streams that have shown as
many, timed in turns, with the memory of their key/value rows and what the process has grown by meanwhile.
"""

from __future__ import annotations

import argparse
import gc
import math
from pathlib import Path

from measure import rate, resident_megabytes, seconds_of, store  # isort: skip  # sets how threads wait, before torch is there
import torch
from rich.console import Console
from rich.table import Table
from speed import WIDTHS, prepare
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.streaming.detector import OnlineDetector

LENGTHS = (1_000, 10_000, 100_000)


def offline(classifier: Classifier, length: int, width: int) -> float:
    """Frames a second of one pass over a video."""
    video = torch.randn(length, width)
    return rate(seconds_of(lambda: classifier.detect(video, batch_size=1), 1, warm_up=0), length)


def grown(detector: OnlineDetector, frame: Tensor, length: int) -> float:
    """Megabytes that the process has grown by, once a stream has shown so many frames; after the first hundred."""
    gc.collect()  # what a pass over a video took is not the stream's
    before = math.nan
    for number in range(length):
        if number == 100:
            before = resident_megabytes() or math.nan
        detector.push(frame)
    return (resident_megabytes() or math.nan) - before


def in_turns(detectors: list[OnlineDetector], frame: Tensor, turns: int = 50, pushes: int = 10) -> list[float]:
    """Frames a second of streams of different age, pushed in turns: a busy neighbor slows them all."""
    times: list[list[float]] = [[] for _ in detectors]
    for _ in range(turns):
        for taken, detector in zip(times, detectors, strict=True):
            taken += seconds_of(lambda detector=detector: detector.push(frame), pushes)
    return [rate(taken, 1) for taken in times]


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=WIDTHS, default="tiny")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    classifier = prepare("Disc", given.shape, "one_pass", 512, given.device).eval()
    classifier.backbone.merge()
    frame = torch.randn(WIDTHS[given.shape])
    one_pass = [offline(classifier, length, WIDTHS[given.shape]) for length in given.lengths]
    detectors = [OnlineDetector(classifier) for _ in given.lengths]
    growth = [grown(detector, frame, length) for detector, length in zip(detectors, given.lengths, strict=True)]
    live = in_turns(detectors, frame)
    columns = ("frames", "one_pass", "live", "live_megabytes", "grown_megabytes")
    held = [detector.rings.cache.nbytes / 2**20 for detector in detectors]
    results = [
        dict(zip(columns, row, strict=True)) for row in zip(given.lengths, one_pass, live, held, growth, strict=True)
    ]
    table = Table(
        "frames", "one pass, frames/s", "live after so many, frames/s", "live key/value MB", "process grown by MB"
    )
    for row in results:
        table.add_row(f"{row['frames']:,}", *(f"{row[name]:,.2f}" for name in columns[1:]))
    Console().print(table)
    print(store(f"length_{given.shape}_{given.device}", {"lengths": results}, given.output))


if __name__ == "__main__":
    main()

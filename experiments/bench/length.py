"""Cost per frame against length: one pass over ever longer videos, and a live stream that never ends.

    python experiments/bench/length.py

Does anything grow? Frames a second of one pass over 1,000 to 100,000 frames, and of a
live stream after as many, with the memory of its key/value rows and of the whole process.
"""

from __future__ import annotations

import argparse
import gc
from pathlib import Path

from measure import rate, resident_megabytes, seconds_of, store  # isort: skip  # sets how threads wait, before torch is there
import torch
from rich.console import Console
from rich.table import Table
from speed import WIDTHS, prepare

from gad_lightning.streaming.detector import OnlineDetector

LENGTHS = (1_000, 10_000, 100_000)


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=WIDTHS, default="tiny")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    classifier = prepare("Disc", given.shape, "one_pass", 512, given.device).eval()
    detector = OnlineDetector(classifier, merge=True)
    table = Table("frames", "one pass, frames/s", "live after so many, frames/s", "live key/value MB", "resident MB")
    results = []
    for length in given.lengths:
        video = torch.randn(length, WIDTHS[given.shape])
        offline = rate(seconds_of(lambda video=video: classifier.detect(video, batch_size=1), 1, warm_up=0), length)
        del video
        gc.collect()  # what the one pass took is not the stream's
        frame = torch.randn(WIDTHS[given.shape])
        while int(detector.seen[0]) < length:
            detector.push(frame)
        online = rate(seconds_of(lambda frame=frame: detector.push(frame), 200), 1)
        megabytes = detector.rings.cache.nbytes / 2**20
        resident = resident_megabytes()
        results.append(
            {
                "frames": length,
                "one_pass": offline,
                "live": online,
                "live_megabytes": megabytes,
                "resident_megabytes": resident,
            }
        )
        table.add_row(
            f"{length:,}", f"{offline:,.0f}", f"{online:,.1f}", f"{megabytes:.2f}", f"{resident or float('nan'):.0f}"
        )
    Console().print(table)
    print(store(f"length_{given.shape}_{given.device}", {"lengths": results}, given.output))


if __name__ == "__main__":
    main()

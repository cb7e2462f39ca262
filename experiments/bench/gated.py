"""Live streams with a gate against streams without one, at a shape of random weights: seconds a frame, in turns.

    python experiments/bench/gated.py --shape 1b --layers 2 --opens 3 6 --streams 1 8

Random weights open no gate that means anything, so each stream opens at random, once in ``--opens`` frames on average;
how often a fitted gate opens on real data stands in experiments/README.md.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

from measure import quantile, seconds_of, store  # isort: skip  # sets how threads wait, before torch is there
import torch
from rich.console import Console
from rich.table import Table
from shapes import native
from speed import WIDTHS, prepare
from torch import Tensor

from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.streaming.gates.base import Gate, Glimpse


class AtRandom(Gate):
    """Opens with one probability at every frame.

    Args:
        layers: lowest layers.
        opens: one frame in so many.
    """

    def __init__(self, layers: int, opens: float) -> None:
        super().__init__(layers, 16.0)
        self.opens, self.dice = opens, torch.Generator().manual_seed(0)

    def forward(self, seen: Glimpse) -> Tensor:
        """Throw dice."""
        return torch.rand(len(seen.waited), generator=self.dice) * self.opens < 1


def measure(given: argparse.Namespace, streams: int) -> dict[str, dict[str, float]]:
    """Seconds of pushes of one frame of every stream, all ways in turns."""
    classifier = prepare("Disc", given.shape, "one_pass", 512, given.device, dtype=given.dtype)
    classifier.backbone.merge()
    gates: dict[str, Gate | None] = {"no gate": None}
    gates |= {f"one in {opens:g}": AtRandom(given.layers, opens) for opens in given.opens}
    detectors = {name: OnlineDetector(classifier, streams, gate=gate) for name, gate in gates.items()}
    frames = torch.randn(streams, 1, WIDTHS[given.shape], device=given.device)
    times: dict[str, list[float]] = {name: [] for name in gates}
    means: dict[str, list[float]] = {name: [] for name in gates}
    for turn in range(given.number + 1):
        for name, detector in detectors.items():
            found = seconds_of(lambda detector=detector: detector.push(frames), given.frames, warm_up=0)
            times[name] += found if turn else []  # the first turn warms up
            means[name] += [statistics.fmean(found)] * (turn > 0)  # pushes are unlike: what counts is their mean
    found = {}
    for name, taken in times.items():
        share, speed = detectors[name].whole_share, streams / statistics.median(means[name])
        delays = {"p50_ms": quantile(taken, 0.5), "p99_ms": quantile(taken, 0.99)}
        found[name] = {"frames_per_second": speed, **delays, "whole_share": 1.0 if share is None else share}
    return found


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=WIDTHS, default="tiny")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], help="what the device is faster with if left out")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--opens", type=float, nargs="+", default=[3.0, 6.0])
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--frames", type=int, default=24, help="that each way is pushed in a turn")
    parser.add_argument("--number", type=int, default=5, help="turns")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    given.dtype = given.dtype or native(given.device)
    results: dict[str, Any] = {}
    table = Table(title=f"live streams with a gate, {given.shape} shape, {given.layers} layers for every frame")
    for column in ("streams", "gate", "read whole", "frames/s", "x no gate", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    for streams in given.streams:
        found = results[str(streams)] = measure(given, streams)
        for name, row in found.items():
            gain = row["frames_per_second"] / found["no gate"]["frames_per_second"]
            speed = (f"{row['whole_share']:.2f}", f"{row['frames_per_second']:,.1f}", f"{gain:.2f}")
            table.add_row(str(streams), name, *speed, f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}")
    Console().print(table)
    settings = {name: value for name, value in vars(given).items() if name != "output"}
    print(store(f"gated_{given.shape}_{given.device}", {"settings": settings, "streams": results}, given.output))


if __name__ == "__main__":
    main()

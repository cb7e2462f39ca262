"""What the benchmarks were to reach, beside what is stored.

    python experiments/bench/aims.py --shape 1b
    python experiments/bench/aims.py --shape 1b --gpu experiments/bench/results/gpu_h200.json    # stored by gpu.sh

The absolute figures of a GPU were set for an H200 and the 1B shape.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from table import speed_of

Stored = dict[str, Any]


class Aim(NamedTuple):
    """A ratio within one run, and how large or small it was to be."""

    what: str
    bench: str  # which file it is read from
    ratio: Callable[[Stored], float | None]  # None where a file has no such figure
    floor: float
    hope: float

    def met(self, ratio: float) -> str:
        """Say what was reached; an aim whose hope is below its floor is to be small."""
        sign = 1 if self.hope >= self.floor else -1
        passed = [sign * ratio >= sign * aim for aim in (self.floor, self.hope)]
        return "hope" if passed[1] else "floor" if passed[0] else "missed"


def one_pass(stored: Stored, kind: str) -> float:
    """Frames a second in one pass."""
    (speed,) = (value for way, value in stored["frames"][kind].items() if way.startswith("one pass"))
    return float(speed)


def live(stored: Stored, kind: str) -> dict[int, Stored]:
    """What was found of live streams, by their number: compiled or not, whichever is faster."""
    found: dict[int, Stored] = {}
    for way, value in stored["frames"][kind].items():
        if way.startswith("live"):
            number = int(way.split(", ")[1])
            found[number] = max(found.get(number, value), value, key=lambda row: float(row["frames_per_second"]))
    return found


def delay(stored: Stored, name: str) -> float:
    """A quantile of the delay of one live stream of Disc, in milliseconds."""
    return float(live(stored, "Disc")[1][name])


def streams_served(stored: Stored) -> float:
    """The most live streams of Disc that were pushed together in under 100 ms, 99 times of 100: 4 frames/s and more."""
    return float(max((number for number, row in live(stored, "Disc").items() if row["p99_ms"] < 100), default=0))


def over_published(kind: str, way: str) -> Callable[[Stored], float]:
    """Frames a second of a way of classifying over the published-style loop's."""

    def ratio(stored: Stored) -> float:
        row = stored["frames"][kind]
        if way.startswith("live"):
            speed = speed_of(live(stored, kind)[int(way.split(", ")[1])])
        else:
            speed = one_pass(stored, kind) if way == "one pass" else speed_of(row[way])
        return speed / float(row["published"])

    return ratio


def share_of_product(kind: str) -> Callable[[Stored], float | None]:
    """Operations a second in one pass over the machine's own in a plain matrix product."""

    def ratio(stored: Stored) -> float | None:
        shares = stored.get("products", {}).get(kind, {}).get("shares", {})
        return next((float(share) for way, share in shares.items() if way.startswith("one pass")), None)

    return ratio


def labeled(kind: str) -> Callable[[Stored], float]:
    """Labeled frames a second in training, one pass over windows."""

    def ratio(stored: Stored) -> float:
        row = stored["steps"][kind]
        return float(row["one_pass_labeled_per_second"] / row["window_labeled_per_second"])

    return ratio


def step(mode: str) -> Callable[[Stored], float]:
    """Seconds of a GAD step over a Disc step."""
    return lambda stored: float(stored["steps"]["GAD"][f"{mode}_seconds"] / stored["steps"]["Disc"][f"{mode}_seconds"])


def peak(way: str) -> Callable[[Stored], float]:
    """Peak memory of a GAD step over that of the published-style step."""
    return lambda stored: float(stored["ways"][way]["peak_mb"] / stored["ways"]["published style"]["peak_mb"])


def kept_up(stored: Stored) -> float:
    """Frames a second of a live stream after the longest over the shortest stretch."""
    return float(stored["lengths"][-1]["live"] / stored["lengths"][0]["live"])


def pixels_over_slower(stored: Stored) -> float:
    """Frames a second from files to labels over the slower of decoding and encoding alone."""
    return float(stored["ratio_to_slower"])


AIMS = (
    Aim("one pass over published-style, Disc", "speed", over_published("Disc", "one pass"), 60, 140),
    Aim("one pass over published-style, GAD", "speed", over_published("GAD", "one pass"), 70, 160),
    Aim("one pass over published-style, Gen", "speed", over_published("Gen", "one pass"), 20, 60),
    Aim("one pass, share of the product rate, Disc", "speed", share_of_product("Disc"), 0.8, 0.9),
    *(
        Aim(f"window mode over published-style, {kind}", "speed", over_published(kind, "window, batch 8"), 2.5, 3)
        for kind in ("Disc", "GAD", "Gen")
    ),
    *(
        Aim(f"{streams} live over published-style, {kind}", "speed", over_published(kind, f"live, {streams}"), *aims)
        for streams, aims in ((1, (4, 5.4)), (8, (25, 40)))
        for kind in ("Disc", "GAD")
    ),
    Aim("one pass, Disc over Gen", "speed", lambda stored: one_pass(stored, "Disc") / one_pass(stored, "Gen"), 3, 1.5),
    Aim("step, windows, GAD over Disc", "training", step("window"), 1.15, 1.08),
    Aim("step, one pass, GAD over Disc", "training", step("one_pass"), 1.3, 1.15),
    *(
        Aim(f"labeled frames/s in training, one pass over windows, {kind}", "training", labeled(kind), floor, hope)
        for kind, floor, hope in (("Disc", 10, 50), ("Gen", 4, 10), ("GAD", 10, 30))
    ),
    Aim("peak memory of a GAD step over published-style", "memory", peak("LoRA"), 0.85, 0.6),
    Aim("the same, gradient checkpointing", "memory", peak("LoRA, checkpointing"), 0.85, 0.6),
    Aim("live frames/s, after the longest over the shortest stretch", "length", kept_up, 0.9, 1),
    Aim("pixels to labels over the slower of decoding and encoding", "pixels", pixels_over_slower, 0.8, 0.95),
)
ON_GPU = (
    Aim("one pass, frames/s, Disc", "speed", lambda stored: one_pass(stored, "Disc"), 20_000, 60_000),
    Aim("one live stream, p50 in ms, Disc", "speed", lambda stored: delay(stored, "p50_ms"), 4, 1.5),
    Aim("one live stream, p99 in ms, Disc", "speed", lambda stored: delay(stored, "p99_ms"), 8, 4),
    Aim("live streams at 4 frames/s, p99 under 100 ms, Disc", "speed", streams_served, 1_000, 5_000),
)
"""Absolute figures."""


def as_speeds(stored: Stored, shape: str) -> Stored:
    """What ``gpu.py`` stored of a shape, as ``speed.py`` stores it; one pass is the fastest number of chunks."""
    frames: dict[str, Stored] = {}
    for name, row in stored["rows"].items():
        what, *rest = name.split(", ", 3)
        if what != "speed" or rest[0] != shape or "frames_per_second" not in row:
            continue
        of_kind = frames.setdefault(rest[1], {})
        if rest[2].startswith("one pass"):
            of_kind["one pass"] = max(of_kind.get("one pass", 0.0), row["frames_per_second"])
        else:
            of_kind[rest[2].split(" by ")[0]] = row  # so many streams, pushed by fewer at a time
    return {**stored, "frames": frames}


def file_of(bench: str, folder: Path, shape: str, device: str) -> Path:
    """Where a benchmark stores its figures: memory with times where they were taken, pixels whatever the shape."""
    if bench == "pixels":
        return folder / "pixels_kitchen_small.json"
    timed = folder / f"steps_{shape}_{device}.json"
    return timed if bench == "memory" and timed.exists() else folder / f"{bench}_{shape}_{device}.json"


def show(folder: Path, shape: str, device: str, gpu: Path | None = None) -> None:
    """Print every aim with what is stored for a shape and device, and with where and when that was measured."""
    table = Table("aim", "floor", "hope", "found", "", "commit", title=f"{shape} shape on {device}")
    for aim in AIMS:
        table.add_row(*cells_of(aim, stored_at(file_of(aim.bench, folder, shape, device))))
    speeds = stored_at(file_of("speed", folder, shape, device))
    if gpu is not None:
        speeds = as_speeds(json.loads(gpu.read_text()), shape)
    for aim in ON_GPU if gpu is not None or device.startswith("cuda") else ():
        table.add_row(*cells_of(aim, speeds if "Disc" in speeds.get("frames", {}) else {}))
    Console().print(table)


def stored_at(path: Path) -> Stored:
    """What a file holds; nothing if there is none."""
    return json.loads(path.read_text()) if path.exists() else {}


def cells_of(aim: Aim, stored: Stored) -> tuple[str, ...]:
    """A row of the table."""
    found = ("not measured", "", "")
    ratio = aim.ratio(stored) if stored else None
    if ratio is not None:
        found = (f"{ratio:,.2f}", aim.met(ratio), stored["surroundings"]["commit"])
    return (aim.what, f"{aim.floor:g}", f"{aim.hope:g}", *found)


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="1b")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--gpu", type=Path, help="file that gpu.py stored; its absolute figures were set for an H200")
    given = parser.parse_args()
    show(given.results, given.shape, given.device, given.gpu)


if __name__ == "__main__":
    main()

"""What a rack of GPUs does, from the rows that ``gpu.sh`` stored: hours of video a day, live streams, what binds first.

    python experiments/bench/rack.py      # prints the table of docs/concepts/scaling.md
    python experiments/bench/rack.py --cards 32 --fps 2

Rates and times of pushes at the 1B shape are measured. One pass of 8B is the measured one over the ratio of operations.
A push takes what the GPU needs, times that ratio or the one of bytes, or what the host needs, times that of layers,
whichever is longer. Operations and bytes come from :mod:`costs`, delays from a simulation.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

from measure import store  # noqa: F401  # isort: skip  # sets how threads wait, before torch is there
import numpy as np
from costs import Cost, cost_of

STORED = Path(__file__).parent / "results" / "gpu_h200.json"
CARD_GIB = 139.0  # of an H200, as PyTorch sees it
LIMIT_MS, SECONDS = 100.0, 12.0
GIB = 2**30


class Pushes(NamedTuple):
    """How long a push of so many streams takes on a card.

    Args:
        sizes: streams pushed together, growing.
        ms: milliseconds of a push of that size.
        slow_share: share of the pushes that take longer.
        slow_times: as long as that many pushes.
    """

    sizes: tuple[int, ...]
    ms: tuple[float, ...]
    slow_share: float
    slow_times: float

    def seconds(self, size: int, slow: bool) -> float:
        """Of one push, between two measured sizes on a line."""
        return float(np.interp(size, self.sizes, self.ms)) / 1000 * (self.slow_times if slow else 1.0)


def row_of(stored: dict[str, Any], name: str) -> dict[str, float]:
    """A row of speed at the 1B shape, Disc."""
    row: dict[str, float] = stored["rows"][f"speed, 1b, Disc, {name}"]
    return row


def measured_pushes(stored: dict[str, Any]) -> Pushes:
    """Pushes of some of many streams: each takes the longer as the measured one of 1,024 of 5,120 did.

    That row's slowest push stands for as many as it was of.
    """
    sizes = (1, 8, 256, 1024)
    rows = [row_of(stored, f"live, {size}") for size in sizes]
    some = row_of(stored, "live, 5120 by 1024")
    apart = some["p50_ms"] / rows[-1]["p50_ms"]
    times = tuple(row["p50_ms"] * apart for row in rows)
    return Pushes(sizes, times, 1 / some["turns"], some["p99_ms"] / some["p50_ms"])


def extrapolated(stored: dict[str, Any], pushes: Pushes, more: float, layers: float) -> Pushes:
    """Pushes of a larger shape: ``more`` for the GPU, ``layers`` for the host, times as long; whichever is longer."""
    on_card = [float(stored["rows"][f"profile, 1b, Disc, live, {size}"]["device_ms"]) for size in (1, 1024)]
    host = row_of(stored, "live, 1")["p50_ms"]  # one stream waits for the host alone
    apart = pushes.ms[0] / host
    needs = np.interp(pushes.sizes, (1, 1024), on_card) * more
    return pushes._replace(ms=tuple(float(ms) * apart for ms in np.maximum(needs, host * layers)))


def delays(streams: int, fps: float, pushes: Pushes, seconds: float = SECONDS, seed: int = 0) -> Any:
    """Milliseconds from a frame's arrival to its label, (F,): streams at random phases, a card that pushes what waits.

    Whenever the card is free it takes the frames that wait, the oldest first, as many as were pushed when measured.
    """
    random = np.random.default_rng(seed)
    ticks = np.arange(int(seconds * fps)) / fps
    arrival = np.sort((random.random(streams)[:, None] / fps + ticks).ravel())
    done, now, first = np.zeros(len(arrival)), 0.0, 0
    while first < len(arrival):
        now = max(now, float(arrival[first]))
        waiting = int(np.searchsorted(arrival, now, "right")) - first
        size = min(waiting, pushes.sizes[-1])
        now += pushes.seconds(size, bool(random.random() < pushes.slow_share))
        done[first : first + size] = now
        first += size
    return (done - arrival) * 1000


def served(fps: float, pushes: Pushes, most: int) -> int:
    """The most streams with 99 of 100 frames below the limit, to 50 streams."""
    low, high = 0, most // 50 + 1
    while high - low > 1:
        middle = (low + high) // 2
        late = np.quantile(delays(50 * middle, fps, pushes), 0.99) > LIMIT_MS
        low, high = (low, middle) if late else (middle, high)
    return 50 * low


class Card(NamedTuple):
    """What one card does with one shape; streams by what would bind if nothing else did."""

    one_pass: float  # frames a second
    by_memory: int
    by_arithmetic: int
    in_time: int
    in_time_without: int  # if no push were slow
    p50_ms: float  # there
    p99_ms: float

    @property
    def binds(self) -> str:
        """What binds first."""
        return "memory" if self.by_memory < self.in_time_without else "delay"

    def streams(self, cards: int) -> str:
        """Streams of so many cards: with the slow pushes, and without."""
        return " to ".join(f"{cards * min(self.by_memory, few):,}" for few in (self.in_time, self.in_time_without))


def card_of(stored: dict[str, Any], cost: Cost, base: Cost, fps: float) -> Card:
    """One card, from the measured rows of ``base``."""
    more = cost.one_pass / base.one_pass
    live_more = max(cost.live / base.live, cost.read_by_push(1024) / base.read_by_push(1024))
    pushes = measured_pushes(stored)
    if cost != base:
        pushes = extrapolated(stored, pushes, live_more, cost.layers / base.layers)
    rest = row_of(stored, "live, 1024")["peak_gb"] - (base.weights + 1024 * base.stream) / GIB  # of the push itself
    room = CARD_GIB * GIB - cost.weights - rest * live_more * GIB
    arithmetic = int(pushes.sizes[-1] / pushes.seconds(pushes.sizes[-1], False) / fps)
    steady = pushes._replace(slow_share=0.0)
    in_time, without = served(fps, pushes, arithmetic), served(fps, steady, arithmetic)
    found = delays(max(without, 1), fps, steady)
    rate = max(
        row["frames_per_second"] for name, row in stored["rows"].items() if name.startswith("speed, 1b, Disc, one")
    )
    return Card(
        rate / more,
        int(room / cost.stream),
        arithmetic,
        in_time,
        without,
        *(float(np.quantile(found, q)) for q in (0.5, 0.99)),
    )


def table(stored: dict[str, Any], cards: int, fps: float) -> str:
    """The table in Markdown."""
    costs = {shape: cost_of(shape) for shape in ("1b", "8b")}
    found = {shape: card_of(stored, cost, costs["1b"], fps) for shape, cost in costs.items()}
    said = {"1b": "measured", "8b": "extrapolated"}
    lines: list[tuple[str, Any]] = [
        ("weights, GB", lambda s: f"{costs[s].weights / 1e9:.1f}"),
        ("GFLOP a frame: one pass", lambda s: f"{costs[s].one_pass / 1e9:.1f}"),
        ("GFLOP a frame: window mode", lambda s: f"{costs[s].window / 1e9:,.0f}"),
        ("GFLOP a frame: live", lambda s: f"{costs[s].live / 1e9:.1f}"),
        ("MB a live stream keeps", lambda s: f"{costs[s].stream / 1e6:.1f}"),
        (f"one card, one pass, frames/s, {said['1b']} or {said['8b']}", lambda s: f"{found[s].one_pass:,.0f}"),
        (
            f"{cards} cards, hours of video a day, {fps:g} frames/s",
            lambda s: f"{found[s].one_pass * cards * 24 / fps:,.0f}",
        ),
        ("one card, live streams held by memory", lambda s: f"{found[s].by_memory:,}"),
        ("one card, live streams by arithmetic", lambda s: f"{found[s].by_arithmetic:,}"),
        (f"one card, live streams, 99 of 100 frames in {LIMIT_MS:g} ms", lambda s: f"{found[s].in_time:,}"),
        ("the same if no push were slow", lambda s: f"{found[s].in_time_without:,}"),
        ("median and p99 delay there, ms", lambda s: f"{found[s].p50_ms:.0f}, {found[s].p99_ms:.0f}"),
        (f"{cards} cards, live streams", lambda s: found[s].streams(cards)),
        ("what binds first", lambda s: found[s].binds),
    ]
    head = [
        "| Disc, window of 148 frames, chunks of 512 | 1B, rates measured | 8B, **extrapolated** |",
        "| --- | ---: | ---: |",
    ]
    return "\n".join([*head, *(f"| {name} | {cell('1b')} | {cell('8b')} |" for name, cell in lines)])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stored", type=Path, default=STORED, help="file of gpu.sh with rows of the 1B shape")
    parser.add_argument("--cards", type=int, default=8)
    parser.add_argument("--fps", type=float, default=4.0)
    given = parser.parse_args()
    print(table(json.loads(given.stored.read_text()), given.cards, given.fps))


if __name__ == "__main__":
    main()

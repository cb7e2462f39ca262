"""The speed table of the README out of what is stored: ``python table.py results/speed_1b_cpu.json``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def markdown_of(path: Path) -> str:
    """Frames a second of each way as multiples of the published-style loop's, a column for each classifier."""
    frames = json.loads(path.read_text())["frames"]
    ways = list(next(iter(frames.values())))
    lines = [
        f"| frames/s, times the published-style loop | {' | '.join(frames)} |",
        "| --- |" + " ---: |" * len(frames),
    ]
    for way in ways[1:]:
        cells = [f"{speed_of(row[way]) / row['published']:,.1f}" for row in frames.values()]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def speed_of(value: float | dict[str, float]) -> float:
    """Frames a second of a stored figure."""
    return value["frames_per_second"] if isinstance(value, dict) else value


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    print(markdown_of(parser.parse_args().results), end="")


if __name__ == "__main__":
    main()

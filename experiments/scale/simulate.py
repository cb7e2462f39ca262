"""Writes feature files of simulated videos: python experiments/scale/simulate.py FOLDER COUNT WIDTH."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

IN_FOLDER = 1000
"""Files of a folder."""


def simulate(folder: Path, count: int, width: int, broken: int | None = None) -> None:
    """Write ``count`` files of 4 to 8 frames (F, 1, width) of normal numbers, and one that is no array."""
    for number in range(count):
        target = folder / f"{number // IN_FOLDER:04d}" / f"v{number:07d}.npy"
        target.parent.mkdir(parents=True, exist_ok=True)
        if number == broken:
            target.write_bytes(b"this is no array")
            continue
        numbers = np.random.default_rng(number)
        np.save(target, numbers.normal(size=(4 + number % 5, 1, width)).astype(np.float32))


if __name__ == "__main__":
    simulate(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), broken=int(sys.argv[2]) // 2)

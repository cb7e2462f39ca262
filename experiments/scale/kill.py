"""Kills a command with SIGKILL at random moments, starts it again, and compares its results with a whole run's.

python experiments/scale/kill.py WHOLE PART SEED KILLS PAUSE -- COMMAND... writes to PART; WHOLE is of a run that ended.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

SKIPPED = {"frames.csv", "segments.csv"}
"""Tables that `join` made."""


def files_of(folder: Path) -> dict[str, bytes]:
    """Contents of all files by their path within a folder."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name not in SKIPPED}


def units(folder: Path) -> dict[str, int]:
    """When each finished unit was noted."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "units").glob("*.json")}


def main(whole: Path, part: Path, seed: int, kills: int, pause: float, command: list[str]) -> None:
    """Kill at moments drawn within ``pause`` seconds after the first unit that a start has finished."""
    draw = random.Random(seed)
    for number in range(kills):
        before = units(part)
        run = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(units(part)) == len(before) and run.poll() is None:
            time.sleep(0.02)
        time.sleep(draw.uniform(0, pause))
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        after = units(part)
        again = [name for name, noted in before.items() if after.get(name) != noted]
        sys.stdout.write(f"kill {number + 1}: {len(before)} -> {len(after)} units, {len(again)} done twice\n")
        sys.stdout.flush()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    same = files_of(whole) == files_of(part)
    sys.stdout.write(f"the files are {'the same, byte for byte' if same else 'NOT the same'}\n")


if __name__ == "__main__":
    place = sys.argv.index("--")
    first, second, start, count, within = sys.argv[1:place]
    main(Path(first), Path(second), int(start), int(count), float(within), sys.argv[place + 1 :])

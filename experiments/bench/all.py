"""Every benchmark at one shape, one after the other, and at the end what was to be reached beside what was found.

    python experiments/bench/all.py --shape tiny              # some minutes on a CPU
    python experiments/bench/all.py --shape 1b                # an hour on a CPU

Each is a process of its own; one that fails is named and does not keep the others from running. Exits with status 1 if
one failed. ``modes.py`` and ``encode.py`` have no shape and stay apart.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import torch
from aims import show
from speed import WIDTHS

HERE = Path(__file__).parent
BENCHES = ("speed", "coin", "training", "labels", "length", "agreement", "memory", "pixels")
QUICK = {
    "speed": "--number 1 --chunk 32 --streams 1 8",
    "coin": "--frames 8 --repeats 1",
    "training": "--size 2 --chunk 16 --repeats 1",
    "labels": "--tokens 1 2 --chunk 16 --number 1 --repeats 1",
    "length": "--lengths 100 300",
    "agreement": "--number 2",
    "memory": "--size 1 --repeats 1",
    "pixels": "--repeats 1",
}
"""Options that show whether it runs, and measure nothing of worth."""


def command_of(name: str, given: argparse.Namespace) -> list[str]:
    """The command line of one benchmark."""
    command = [str(HERE / f"{name}.py"), "--shape", given.shape, "--output", str(given.output)]
    command += [] if name == "pixels" else ["--device", given.device]  # which decodes on a CPU
    if name == "memory" and given.device == "cpu" and given.shape == "1b":
        command += ["--no_arithmetic"]
    return command + (QUICK[name].split() if given.quick else [])


def main() -> None:
    """Run them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=WIDTHS, default="tiny")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", nargs="+", choices=BENCHES, default=list(BENCHES))
    parser.add_argument("--quick", action="store_true", help="see whether they run")
    parser.add_argument("--output", type=Path, default=HERE / "results")
    given = parser.parse_args()
    failed = []
    for name in given.only:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, *command_of(name, given)], check=False).returncode:
            failed.append(name)
    show(given.output, given.shape, given.device)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()

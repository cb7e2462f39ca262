"""Prints the constraints to install with: the torch that is there stays; without one, the tested one."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

TESTED = Path(__file__).resolve().parent.parent / "constraints.txt"


def pins(all_of_them: bool) -> list[str]:
    """Lines of a constraints file.

    Args:
        all_of_them: hold every package to its tested version, not torch alone.
    """
    lines = [line for line in TESTED.read_text(encoding="utf-8").splitlines() if "==" in line]
    torch = next(line for line in lines if line.startswith("torch=="))
    try:
        kept = f"torch=={version('torch')}"
    except PackageNotFoundError:
        kept = torch
    return [kept, *(line for line in lines if all_of_them and line != torch)]


if __name__ == "__main__":
    sys.stdout.write("\n".join(pins("--all" in sys.argv)) + "\n")

"""Timing and the record of where it was done."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads slow a shared machine twentyfold

import torch  # the line above must come first

PACKAGES = ("torch", "transformers", "lightning", "peft", "torchmetrics")


def seconds_of(work: Callable[[], Any], repeats: int, warm_up: int = 1) -> list[float]:
    """Time ``work`` several times after a warm-up; waits for the GPU where there is one."""
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(repeats):
        synchronize()
        start = time.perf_counter()
        work()
        synchronize()
        times.append(time.perf_counter() - start)
    return times


def synchronize() -> None:
    """Wait for the GPU."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def rate(times: list[float], frames: int) -> float:
    """Frames a second at the median time."""
    return frames / statistics.median(times)


def quantile(times: list[float], share: float) -> float:
    """A quantile of the times, in milliseconds."""
    return 1000 * sorted(times)[min(len(times) - 1, int(share * len(times)))]


def peak_megabytes() -> float:
    """Largest memory so far: of the GPU where there is one, of the process otherwise."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def resident_megabytes() -> float | None:
    """Memory of the process that is in use now; None where only Linux would tell."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return None
    return int(status.read_text().split()[1]) * resource.getpagesize() / 2**20


def processor() -> str:
    """The CPU, and which of its number formats matter for speed."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    lines = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    facts = {name.strip(): value.strip() for name, value in lines.items()}
    fast = [flag for flag in ("avx512f", "avx512_bf16", "amx_bf16") if flag in facts.get("flags", "").split()]
    return " ".join([facts.get("model name", platform.machine()), *fast])


def surroundings() -> dict[str, Any]:
    """Machine, versions and commit."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent, check=False
    )
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else processor()
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "device": device,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "versions": versions,
        "commit": commit.stdout.strip(),
    }


def store(name: str, results: dict[str, Any], folder: Path) -> Path:
    """Write results beside where they were measured."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"surroundings": surroundings(), **results}, indent=2) + "\n")
    return path

"""What a GPU is to show, row by row: tests, agreement with the CPU, speed, memory, where the time goes.

    python experiments/bench/gpu.py agreement flex streams
    python experiments/bench/gpu.py speed training profile --shape tiny small 1b

Every row is stored as soon as it is there, in ``<output>/gpu.json``; a second call leaves out what is stored, and
begins a row anew that was interrupted. A row that fails is stored with its error and keeps no other from running; so
is one in which the process died. Both are told again by later calls, and tried again by ``--again``. Exits with status
1 if a row failed, with 3 if the GPU takes no more work in this process: call it again then, as ``gpu.sh`` does; with 4
if the file is another process's or another device's. TensorFloat-32 is off.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import surroundings, synchronize  # isort: skip  # sets how threads wait, before torch is there
import gpu_checks
import gpu_speed
import torch
from shapes import native
from speed import WIDTHS

from gad_lightning.atomic import FolderLock, atomic_write
from gad_lightning.errors import SettingError

NAME = "gpu"
DIED = "the process died in this row"
SECTIONS: dict[str, Callable[[Any, argparse.Namespace], None]] = {
    "tests": gpu_checks.tests,
    "agreement": gpu_checks.agreement,
    "flex": gpu_checks.flex,
    "streams": gpu_checks.streams,
    "speed": gpu_speed.speed,
    "training": gpu_speed.training,
    "profile": gpu_speed.profile,
}


class Rows:
    """Rows by name, in a file that is written after each.

    Args:
        folder: of the file.
        deadline: seconds from now after which no row is begun.
        settings: stored beside the rows; the number format is that of the rows that are there.
        commit: of what is measured; of the repository if None.
        again: try rows again that failed, or in which the process died.

    Raises:
        SettingError: if the file holds another device's rows, or another process writes it.
    """

    def __init__(
        self, folder: Path, deadline: float, settings: dict[str, Any], commit: str | None, again: bool = False
    ) -> None:
        self.path, self.end, self.settings = folder / f"{NAME}.json", time.monotonic() + deadline, settings
        self.lock = FolderLock(folder, f"{NAME}.lock")
        self.lock.take()
        self.where = {**surroundings(), **({} if commit is None else {"commit": commit})}
        self.rows: dict[str, Any] = {}
        self.failed: list[str] = []
        if self.path.exists():
            self.go_on(json.loads(self.path.read_text()), again)

    def go_on(self, stored: dict[str, Any], again: bool) -> None:
        """Take the rows of an earlier call."""
        here, there = (
            f"{way['settings']['device']} ({way['surroundings']['device']})"
            for way in ({"settings": self.settings, "surroundings": self.where}, stored)
        )
        if here != there:
            raise SettingError(f"{self.path} holds rows of {there}, this is {here}.", "give another --output")
        self.settings["dtype"] = stored["settings"]["dtype"]
        self.rows = {name: row for name, row in stored["rows"].items() if not (again and has_failed(row))}
        if again:
            self.write()
        commits = {row.get("commit", stored["surroundings"]["commit"]) for row in self.rows.values()}
        print(f"{len(self.rows)} rows are stored, of {', '.join(sorted(commits)) or 'no commit'}", flush=True)

    def add(self, name: str, work: Callable[[], dict[str, Any]]) -> None:
        """Work for a row and store what it found, unless it is stored already or time is up."""
        if name in self.rows:
            if has_failed(self.rows[name]):
                self.failed.append(name)
                print(f"{name}, in an earlier call (--again tries it again): {told(self.rows[name])}", flush=True)
            return
        if time.monotonic() > self.end:
            print(f"{name}: left out, time is up", flush=True)
            return
        self.keep(name, {"error": DIED})
        start = time.monotonic()
        try:
            found = work()
            synchronize()
        except Exception:  # noqa: BLE001  # whatever it is, the other rows are to be measured
            found = {"error": traceback.format_exc()[-1500:]}
        except (SystemExit, KeyboardInterrupt):
            print(f"{name}: stopped, the next call begins it anew", flush=True)
            del self.rows[name]
            self.write()
            raise
        taken = round(time.monotonic() - start, 1)
        self.keep(name, {**found, "row_seconds": taken})
        print(f"{name} ({taken} s): {told(found)}", flush=True)
        if has_failed(found):
            self.failed.append(name)
            check_device()

    def keep(self, name: str, row: dict[str, Any]) -> None:
        """Store a row."""
        self.rows[name] = {**row, "commit": self.where["commit"]}
        self.write()

    def write(self) -> None:
        """Write the file, whole or not at all."""
        stored = {"surroundings": self.where, "settings": self.settings, "rows": self.rows}
        with atomic_write(self.path) as part:
            part.write_text(json.dumps(stored, indent=2) + "\n")


def has_failed(row: dict[str, Any]) -> bool:
    """Whether a row is an error, or something that does not agree."""
    return "error" in row or not row.get("ok", True)


def told(found: dict[str, Any]) -> str:
    """A row in one line; an error whole."""
    if "error" in found:
        return "FAILED\n" + str(found["error"])
    short = {key: value for key, value in found.items() if not isinstance(value, list)}
    return ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in short.items()
    )


def check_device() -> None:
    """Leave if the GPU takes no more work, as after an access to memory that is not there."""
    try:
        synchronize()
    except RuntimeError as error:
        print(f"the GPU is lost to this process: {error}", flush=True)
        sys.exit(3)


def main() -> None:
    """Run the sections asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="+", choices=SECTIONS)
    parser.add_argument("--shape", nargs="+", choices=WIDTHS, default=list(WIDTHS))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--streams", type=int, nargs="*", default=[1, 8, 256, 1024])
    parser.add_argument("--compiled", type=int, nargs="*", default=[1, 8, 256])
    parser.add_argument("--seconds", type=float, default=2.0, help="that a row is timed, about")
    parser.add_argument("--deadline", type=float, default=480.0, help="seconds after which no row is begun")
    parser.add_argument("--again", action="store_true", help="try rows again that failed or died in earlier calls")
    parser.add_argument("--commit", help="of what is measured, where there is no repository")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    given.dtype = native(given.device)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # by gpu.sh when time is up
    settings = {name: getattr(given, name) for name in ("device", "dtype", "seconds")}
    try:
        rows = Rows(given.output, given.deadline, settings, given.commit, given.again)
    except SettingError as error:
        print(error, flush=True)
        sys.exit(4)
    given.dtype = settings["dtype"]
    for section in given.sections:
        SECTIONS[section](rows, given)
    if rows.failed:
        sys.exit(f"failed: {', '.join(rows.failed)}")


if __name__ == "__main__":
    main()

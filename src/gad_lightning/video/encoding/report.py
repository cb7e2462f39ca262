"""What became of every video of an encoding run, as JSON and on the screen."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from gad_lightning.atomic import atomic_write
from gad_lightning.errors import DataError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class Outcome(NamedTuple):
    """What became of one video."""

    state: Literal["encoded", "skipped", "broken"]  # skipped: its features were there already
    frames: int = 0  # feature frames written
    seconds: float = 0.0  # of video decoded
    problem: str | None = None  # why it is broken, or what of it is missing
    note: str | None = None  # what is unusual in it and was put right
    source: str | None = None  # the file that was encoded, see gad_lightning.video.encoding.source


class EncodeReport(NamedTuple):
    """What became of all videos, and how long it took."""

    videos: dict[str, Outcome]
    took_seconds: float
    left_out: Mapping[str, str] = MappingProxyType({})  # files that were not taken for videos, and why

    def names(self, state: str) -> list[str]:
        """The videos of one state."""
        return [name for name, outcome in self.videos.items() if outcome.state == state]

    @property
    def videos_per_second(self) -> float:
        """Videos encoded a second, skipped ones not counted."""
        return len(self.names("encoded")) / max(self.took_seconds, 1e-9)

    @property
    def hours_per_hour(self) -> float:
        """Hours of video encoded in an hour, skipped ones not counted."""
        encoded = sum(self.videos[name].seconds for name in self.names("encoded"))
        return encoded / max(self.took_seconds, 1e-9)

    def summary(self) -> str:
        """One line for the screen."""
        states = ", ".join(f"{len(self.names(state))} {state}" for state in ("encoded", "skipped", "broken"))
        return (
            f"{states}; {self.videos_per_second:.2f} videos/s, {self.hours_per_hour:.1f} hours of video per hour, "
            f"{self.took_seconds:.0f} s"
        )

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        stated = {
            "summary": {
                **{state: len(self.names(state)) for state in ("encoded", "skipped", "broken")},
                "took_seconds": round(self.took_seconds, 3),
                "videos_per_second": round(self.videos_per_second, 4),
                "hours_of_video_per_hour": round(self.hours_per_hour, 4),
            },
            "videos": {name: outcome._asdict() for name, outcome in sorted(self.videos.items())},
            "left_out": dict(self.left_out),
        }
        with atomic_write(path) as part:
            part.write_text(json.dumps(stated, indent=1) + "\n", encoding="utf-8")


def read_report(path: Path) -> EncodeReport:
    """Read a report again; an empty one if there is none.

    Raises:
        DataError: if the file is damaged.
    """
    if not path.is_file():
        return EncodeReport({}, 0.0)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        videos = {name: Outcome(**outcome) for name, outcome in found["videos"].items()}
        if not all(isinstance(outcome.source, str | None) for outcome in videos.values()):
            raise ValueError("a source is no text")
        return EncodeReport(videos, float(found["summary"]["took_seconds"]), found.get("left_out", {}))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} is no report of an encoding run: {error}.", "delete it") from error


class Progress:
    """Counts finished videos; on the screen if there is one to look at.

    Args:
        bar: what to draw on, or None to stay silent.
        total: videos to do.
    """

    def __init__(self, bar: Bar | None, total: int) -> None:
        self.bar = bar
        self.videos, self.seconds, self.start = 0, 0.0, time.perf_counter()
        self.task = None if bar is None else bar.add_task("encoding", total=total, speed="")

    def finished(self, outcome: Outcome) -> None:
        """Count a video."""
        self.videos += 1
        self.seconds += outcome.seconds
        if self.bar is not None and self.task is not None:
            took = max(time.perf_counter() - self.start, 1e-9)
            speed = f"{self.videos / took:.2f} videos/s, {self.seconds / took:.1f} h of video per h"
            self.bar.update(self.task, advance=1, speed=speed)


def carry_over(report: EncodeReport, before: Mapping[str, Outcome]) -> EncodeReport:
    """Keep what an earlier run noted of the videos that this one skipped."""
    videos = {
        name: before[name]._replace(state="skipped") if outcome.state == "skipped" and name in before else outcome
        for name, outcome in report.videos.items()
    }
    return report._replace(videos=videos)


def merge(parts: Sequence[EncodeReport]) -> EncodeReport:
    """Join the reports of parts that ran at the same time."""
    videos = {name: outcome for part in parts for name, outcome in part.videos.items()}
    left_out = {name: why for part in parts for name, why in part.left_out.items()}
    return EncodeReport(videos, max((part.took_seconds for part in parts), default=0.0), left_out)

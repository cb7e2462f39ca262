"""Work cut into numbered units of videos: each is done once, by whichever process or job takes it first."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from gad_lightning.atomic import FolderLock, atomic_write, sweep
from gad_lightning.errors import DataError, SettingError
from gad_lightning.escape import escape_csv
from gad_lightning.jobs.place import Place

PLAN, MARKS, MANIFEST = "plan.json", "units", "manifest.csv"
"""What is to be done; the folder with a file a finished unit; what became of every video, once all are done."""


class VideoOutcome(NamedTuple):
    """What became of one video."""

    video: str
    state: Literal["done", "broken"]
    frames: int = 0  # frames with a result
    problem: str | None = None  # why it is broken, or what of it is missing


class Units:
    """Units of neighboring videos, and what is known of them at the place where their results go.

    A unit is done once ``units/<number>.json`` is there, which is written after its results. So a kill at any moment
    costs the units under way, and nothing is done twice. A process holds the lock of a unit while it works on it; of a
    killed process no lock stays. Results must depend on the unit alone, not on who does it or on those before it.

    Args:
        place: where results go; all processes and jobs see it.
        names: of all videos, in order.
        size: videos of a unit.

    Raises:
        SettingError: if ``size`` is below 1.
    """

    def __init__(self, place: Place, names: Sequence[str], size: int) -> None:
        if size < 1:
            raise SettingError(f"unit counts videos and must be at least 1, got {size}.", "64 is usual")
        self.place, self.names, self.size = place, names, size
        self._held: dict[int, FolderLock | None] = {}

    def __len__(self) -> int:
        """Number of units."""
        return -(-len(self.names) // self.size)

    def videos(self, number: int) -> range:
        """Numbers of the videos of a unit."""
        return range(number * self.size, min((number + 1) * self.size, len(self.names)))

    def claim(self, plan: Mapping[str, object]) -> None:
        """Make the place one for this work, or check that it is.

        Args:
            plan: what the results depend on beside the names and the size of the units, as plain data.

        Raises:
            DataError: naming what differs, if the place holds the results of other work.
        """
        digest = hashlib.sha256()
        for name in self.names:
            digest.update(f"{name}\n".encode())
        stated = {"format": 1, "videos": len(self.names), "unit": self.size, "names": digest.hexdigest()[:16], **plan}
        stated = json.loads(json.dumps(stated))
        for folder in ("", MARKS):
            sweep(self.place.folder / folder)
        found = self.place.fetch(PLAN)
        if found is None:
            target = self.place.path(PLAN)
            with atomic_write(target) as part:
                part.write_text(json.dumps(stated, indent=1) + "\n", encoding="utf-8")
            self.place.publish(PLAN)
            return
        before = _read(found)
        for key in {**before, **stated}:
            if before.get(key) != stated.get(key):
                raise DataError(
                    f"{self.place} holds results of other work: its {key} is {before.get(key)!r}, here it is "
                    f"{stated.get(key)!r}.",
                    "give another folder, or the settings of its plan.json",
                )

    def done(self) -> set[int]:
        """Numbers of the units that are done."""
        return {int(name[:-5]) for name in self.place.names(MARKS) if name.endswith(".json") and name[0].isdigit()}

    def take_each(self, only: Iterable[int] | None = None) -> Iterator[int]:
        """Take units that are not done and that nobody works on, one after the other, until there is none.

        Each must be handed to :meth:`finish`. Units that a killed job leaves while this goes on are taken too.

        Args:
            only: numbers to choose among; all if None.
        """
        asked = list(range(len(self)) if only is None else only)
        took = True
        while took:
            took, done = False, self.done()
            asked = [number for number in asked if number not in done and number not in self._held]
            for number in asked:
                lock = self.place.lock(f"{MARKS}/{_label(number)}.lock")
                if lock is not None and not lock.try_take():
                    continue
                if self.place.fetch(_mark(number)) is not None:  # it was done in between
                    if lock is not None:
                        lock.release()
                    continue
                self._held[number], took = lock, True
                yield number

    def finish(self, number: int, outcomes: Sequence[VideoOutcome], **facts: object) -> None:
        """Note that the results of a unit are written.

        Args:
            number: of a unit that was taken.
            outcomes: of its videos.
            **facts: what else is to be known of it, as plain data.
        """
        name = _mark(number)
        stated = {**facts, "videos": [outcome._asdict() for outcome in outcomes]}
        with atomic_write(self.place.path(name)) as part:
            part.write_text(json.dumps(stated, ensure_ascii=False) + "\n", encoding="utf-8")
        self.place.publish(name)
        lock = self._held.pop(number, None)
        if lock is not None:
            lock.release()

    def facts(self) -> Iterator[tuple[int, dict[str, object], list[VideoOutcome]]]:
        """What was noted of each finished unit, in order: number, further facts and outcomes."""
        for number in sorted(self.done()):
            path = self.place.fetch(_mark(number))
            if path is None:
                continue
            stated = _read(path)
            try:
                yield number, stated, [VideoOutcome(**outcome) for outcome in stated.pop("videos")]
            except (KeyError, TypeError) as error:
                raise DataError(f"{path} is damaged: {error}.", "delete it: its unit is done again") from error

    def write_manifest(self) -> list[VideoOutcome]:
        """Write ``manifest.csv``, a row a video, if all units are done.

        Returns:
            The outcomes of broken videos, of the units that are done.
        """
        rows: list[tuple[VideoOutcome, int]] = []
        for number, _, outcomes in self.facts():
            rows += [(outcome, number) for outcome in outcomes]
        if len(rows) == len(self.names):
            with atomic_write(self.place.path(MANIFEST)) as part, part.open("w", newline="", encoding="utf-8") as file:
                table = csv.writer(file, lineterminator="\n")
                table.writerow((*VideoOutcome._fields, "unit"))
                for (video, state, frames, problem), number in rows:
                    table.writerow((escape_csv(video), state, frames, escape_csv(problem or ""), number))
            self.place.publish(MANIFEST)
        return [outcome for outcome, _ in rows if outcome.state == "broken"]


def _label(number: int) -> str:
    """How files of a unit are named."""
    return f"{number:06d}"


def file_of(number: int, folder: str, ending: str) -> str:
    """Name of a file of results of a unit.

    Example:
        >>> file_of(12, "frames", "csv")
        'frames/000012.csv'
    """
    return f"{folder}/{_label(number)}.{ending}"


def _mark(number: int) -> str:
    return file_of(number, MARKS, "json")


def _read(path: Path) -> dict[str, Any]:
    """Read plain data.

    Raises:
        DataError: if the file holds none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}.", "delete it, and what it tells of is done again") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} is damaged: it holds no object.", "delete it, and what it tells of is done again")
    return found

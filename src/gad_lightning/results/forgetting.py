"""What `gad-lightning forgetting` found of a run: at each scale of the adapter the task's scores, and what is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from gad_lightning.errors import DataError
from gad_lightning.results.rows import Row
from gad_lightning.results.tables import read_json, write_csv, write_json

FOLDER, FACTS, TABLE, PICTURE = "forgetting", "forgetting.json", "forgetting.csv", "forgetting.png"


class Probe(NamedTuple):
    """One thing that is measured beside the task."""

    name: str  # as a column
    title: str
    digits: int
    rises: bool  # whether more is better


NEUTRAL_KL = Probe("kl_neutral", "KL on neutral text", 4, False)
TEXT_KL = Probe("kl_text", "KL on own text", 4, False)
NEW_TOKENS = Probe("new_tokens", "lost to new tokens", 4, False)
PROMPTS_KL = Probe("kl_prompts", "KL on prompts", 4, False)
PAIRS = Probe("pairs", "minimal pairs", 3, True)
QUESTIONS = Probe("questions", "questions", 3, True)
NEUTRAL_PERPLEXITY = Probe("perplexity_neutral", "perplexity of neutral text", 2, False)
TEXT_PERPLEXITY = Probe("perplexity_text", "perplexity of own text", 2, False)
PROBES = (
    NEUTRAL_KL,
    NEW_TOKENS,
    PROMPTS_KL,
    PAIRS,
    QUESTIONS,
    NEUTRAL_PERPLEXITY,
    TEXT_KL,
    TEXT_PERPLEXITY,
)


class AtScale(NamedTuple):
    """What was measured at one scale of the adapter."""

    scale: float
    metrics: Mapping[str, float]  # of the task, on validation
    probes: Mapping[str, float]  # by the names of PROBES; those that were measured


class Forgetting(NamedTuple):
    """What was measured of a run."""

    metric: str  # the one that chooses the run's best checkpoint
    rows: tuple[AtScale, ...]  # by scale, rising
    counts: Mapping[str, int]  # trained weights of adapter, connector, ..., and how much of each probe there was

    def points(self, probe: Probe) -> list[tuple[float, float]]:
        """What is kept, and the task's score, at each scale; none if the probe was not made."""
        rows = [row for row in self.rows if probe.name in row.probes]
        return [(row.probes[probe.name], row.metrics[self.metric]) for row in rows]

    def knee(self) -> float | None:
        """The scale in [0, 1] that is farthest above the straight line from the base to the trained adapter.

        The line goes through the task's score over the KL on neutral text. None where nothing lies above it, or the
        adapter gains nothing or forgets nothing.

        Source: Satopaa et al., Finding a "Kneedle" in a Haystack, ICDCSW 2011, section 3.
        """
        found = {row.scale: (row.probes[NEUTRAL_KL.name], row.metrics[self.metric]) for row in self.rows}
        if 0.0 not in found or 1.0 not in found:
            return None
        (kept, least), (lost, most) = found[0.0], found[1.0]
        if not (lost > kept and most > least):
            return None
        above = {
            scale: (task - least) / (most - least) - (kl - kept) / (lost - kept)
            for scale, (kl, task) in found.items()
            if 0 < scale < 1 and math.isfinite(kl) and math.isfinite(task)
        }
        best = max(above, key=lambda scale: above[scale], default=None)
        return best if best is not None and above[best] > 0 else None


def write_forgetting(folder: Path, found: Forgetting) -> None:
    """Write facts and table into a folder that exists."""
    rows: list[Row] = [{"scale": row.scale, **row.metrics, **row.probes} for row in found.rows]
    write_csv(folder / TABLE, rows, list(dict.fromkeys(name for row in rows for name in row)))
    kept = [{"scale": row.scale, "metrics": dict(row.metrics), "probes": dict(row.probes)} for row in found.rows]
    write_json(folder / FACTS, {"metric": found.metric, "rows": kept, "counts": dict(found.counts)})


def read_forgetting(run: Path) -> Forgetting | None:
    """What was found of a run; None if it was not asked.

    Raises:
        DataError: if the file is damaged.
    """
    path = run / FOLDER / FACTS
    if not path.is_file():
        return None
    stored = read_json(path)
    try:
        rows = tuple(
            AtScale(float(row["scale"]), _numbers(row["metrics"]), _numbers(row["probes"])) for row in stored["rows"]
        )
        counts = {str(name): int(count) for name, count in stored["counts"].items()}
        found = Forgetting(str(stored["metric"]), rows, counts)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error!r}.", "run gad-lightning forgetting again, or remove it") from error
    if not rows or any(found.metric not in row.metrics or NEUTRAL_KL.name not in row.probes for row in rows):
        raise DataError(f"{path} is damaged: a row lacks a value.", "run gad-lightning forgetting again, or remove it")
    return found


def _numbers(stored: Mapping[str, float]) -> dict[str, float]:
    """Values by name."""
    return {str(name): float(value) for name, value in stored.items()}

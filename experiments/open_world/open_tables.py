"""Writes the tables of README.md from the stored rows: ``python experiments/open_world/open_tables.py``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gad_lightning.atomic import atomic_write
from gad_lightning.compare.statistics import Difference, Paired, difference_of

HERE = Path(__file__).parent
BEGIN, END = "<!-- tables -->", "<!-- end of the tables -->"
MARGIN = 0.02
Row = dict[str, Any]
NAMES = {"ikea_asm": "IKEA ASM", "jigsaws": "JIGSAWS", "kitchen": "kitchen"}
SHOWN = ("segment_auroc", "segment_fpr95", "frame_auroc", "frame_fpr95")
SHOTS = (0, 1, 5, 20, "full")


def stored() -> list[Row]:
    """All rows, each with what its run was."""
    rows = []
    for path in sorted((HERE / "results").glob("*.json")):
        run = json.loads(path.read_text(encoding="utf-8"))
        about = {key: run[key] for key in ("data", "head", "seed", "pairs")}
        rows += [{"split": run["split"], **row, **about} for row in run["rows"]]
    return rows


def paired(first: dict[int, float], second: dict[int, float]) -> Difference | None:
    """Difference over the splits that both have, with an interval by Student's t."""
    both = sorted(first.keys() & second.keys())
    if len(both) < 2:
        return None
    one, other = (np.array([values[split] for split in both]) for values in (first, second))
    return difference_of(Paired(one - other, float(other.mean()), 0.0, len(both)), MARGIN)


def by_split(rows: Iterable[Row], value: str) -> dict[int, float]:
    """A value of each split that has it."""
    return {row["split"]: row[value] for row in rows if row[value] is not None and not np.isnan(row[value])}


def told(found: Difference | None) -> str:
    """A difference with its interval."""
    return "" if found is None else f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def mean_of(values: dict[int, float]) -> str:
    """The mean over splits."""
    return f"{np.mean(list(values.values())):.3f}" if values else ""


def rejection_lines(rows: Sequence[Row], data: str, head: str) -> list[str]:
    """One line a score, the best on validation first."""
    own = [row for row in rows if row["kind"] == "rejection" and (row["data"], row["head"]) == (data, head)]
    if not own:
        return []

    def of(score: str, on: str, value: str, actions_only: bool = True) -> dict[int, float]:
        """Values of a score by split."""
        chosen = (r for r in own if (r["score"], r["on"], r["actions_only"]) == (score, on, actions_only))
        return by_split(chosen, value)

    def validated(score: str) -> float:
        """Mean over the splits on validation."""
        return float(np.mean(list(of(score, "val", SHOWN[0]).values())))

    scores = sorted({row["score"] for row in own}, key=validated, reverse=True)
    best, lost = scores[0], mean_of(of(scores[0], "test", "unknown_as_background"))
    lines = [
        f"{NAMES[data]}, head `{head}`, {len(of(best, 'test', SHOWN[0]))} splits. Taken for background: {lost} of the "
        "frames of unknown actions.",
        "",
        "| score | AUROC of segments, validation | of segments | FPR95 | AUROC of frames | FPR95 "
        "| of segments, less the first | of segments, background counted as known |",
        "| --- " + "| ---: " * 7 + "|",
    ]
    for score in scores:
        difference = "" if score == best else told(paired(of(score, "test", SHOWN[0]), of(best, "test", SHOWN[0])))
        cells = [f"{validated(score):.3f}", *(mean_of(of(score, "test", value)) for value in SHOWN)]
        cells += [difference, mean_of(of(score, "test", SHOWN[0], actions_only=False))]
        lines.append(f"| `{score}` | {' | '.join(cells)} |")
    return [*lines, ""]


def shot_lines(rows: Sequence[Row], data: str, pairs: bool = False) -> list[str]:
    """One line a head: harmonic mean, and accuracy of the new classes among themselves, by examples."""
    own = [row for row in rows if row["kind"] == "shots" and row["data"] == data and row["pairs"] == pairs]
    heads = [head for head in HEADS if any(row["head"] == head for row in own)]
    if not heads:
        return []
    lines = []
    for value, title in (
        ("harmonic", "harmonic mean of seen and new"),
        ("new", "new"),
        ("among_new", "new among new"),
        ("plain_seen", "seen, no constant added"),
    ):
        header = " | ".join("no example" if s == 0 else "trained on all" if s == "full" else str(s) for s in SHOTS)
        halfway = " | 5 examples less halfway |" if value == "harmonic" else " |"
        lines += [f"{NAMES[data]}, {title}", "", f"| head | splits | {header}{halfway}"]
        lines.append("| --- | ---: " + "| ---: " * len(SHOTS) + ("| ---: |" if value == "harmonic" else "|"))
        for head in heads:
            of = {s: by_split((r for r in own if r["head"] == head and r["shots"] == s), value) for s in SHOTS}
            done = of[5] or of[0]
            of["full"] = {split: full for split, full in of["full"].items() if split in done}
            cells, count = [mean_of(of[shots]) for shots in SHOTS], len(done)
            zero = of[0] or dict.fromkeys(of["full"], 0.0)
            half = {split: (zero[split] + full) / 2 for split, full in of["full"].items() if split in zero}
            more = f" {told(paired(of[5], half))} |" if value == "harmonic" else ""
            lines.append(f"| `{head}` | {count} | {' | '.join(cells)} |{more}")
        lines.append("")
    return lines


HEADS = ("frozen", "init", "shuffled", "free", "factor", "factor_permuted")


def main() -> None:
    """Write the tables into README.md, between their marks."""
    rows = stored()
    lines = ["### Rejection scores", ""]
    for data in NAMES:
        for head in ("linear", *HEADS):
            lines += rejection_lines(rows, data, head)
    lines += ["### New classes", ""]
    for data in NAMES:
        lines += shot_lines(rows, data)
    found = [line for data in NAMES for line in shot_lines(rows, data, pairs=True)]
    lines += ["### Pairs of known verbs and objects", "", *found] if found else []
    target = HERE / "README.md"
    before, _, rest = target.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    text = "\n".join([f"{before}{BEGIN}", "", *lines]) + f"{END}{after}"
    with atomic_write(target) as part:
        part.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Writes down what ``run.py`` and ``score.py`` stored: README.md, and all numbers in results/.

python experiments/contexts/tables.py --rows runs/contexts/rows    # takes new rows along
python experiments/contexts/tables.py                              # README.md from results/ alone
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.compare.statistics import Difference, FloatArray, compare

HERE = Path(__file__).resolve().parent
STORED = HERE / "results" / "rows.jsonl"
DATA = ("dials", "ikea", "jigsaws", "kitchen")
DISC, LABEL, HAND, ALL, BY_AGREEMENT = "disc", "label", "previous", "all", " by agreement"
METRICS = {"top1": "Top-1", "segment_f1": "segment-F1"}
MARGIN = 0.01
Row = dict[str, Any]


def read(rows: Path) -> list[Row]:
    """Rows of runs and of scores."""
    files = [*sorted(rows.glob("*.json")), *sorted((rows / "scores").glob("*.json"))]
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def value_of(measure: str, counts: FloatArray) -> FloatArray:
    """Scores (...) of summed counts (..., K)."""
    with np.errstate(invalid="ignore"):
        if measure == "segment_f1":
            return np.asarray(2 * counts[..., 0] / (counts[..., 1] + counts[..., 2]))
        return np.asarray(counts[..., 0] / counts[..., 1])


def gain(rows: Iterable[Row], data: str, arm: str, than: str, measure: str) -> Difference | None:
    """What an arm has more than another, over the seeds of both and the test videos; None if there are none."""
    own = {(row["arm"], row["seed"]): row["counts"][measure] for row in rows if row["data"] == data and "arm" in row}
    seeds = sorted(seed for name, seed in own if name == arm and (than, seed) in own)
    if not seeds:
        return None
    ours, theirs = (np.array([own[name, seed] for seed in seeds], dtype=np.float64) for name in (arm, than))
    return compare(ours, theirs, lambda counts: value_of(measure, counts), margin=MARGIN)


def scores_of(rows: Iterable[Row], data: str) -> dict[str, dict[str, FloatArray]]:
    """By context and kind of information the mean over seeds of value and interval, (3,)."""
    found = [row["scores"] for row in rows if row["data"] == data and "scores" in row]
    names = found[0] if found else {}
    return {
        name: {kind: np.mean([one[name][kind] for one in found], axis=0) for kind in ("score", "told", "shown")}
        for name in names
    }


def cell(found: Difference | None) -> str:
    """A difference and its interval."""
    return "-" if found is None else f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def band(found: FloatArray) -> str:
    """Information and its interval."""
    return f"{found[0]:.3f} [{found[1]:.3f}, {found[2]:.3f}]"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table, numbers to the right."""
    head = [f"| {' | '.join(titles)} |", f"| --- |{' ---: |' * (len(titles) - 1)}"]
    return [*head, *(f"| {' | '.join(row)} |" for row in rows), ""]


def correlation(scores: dict[str, dict[str, FloatArray]], gains: dict[str, Difference], kind: str) -> str:
    """Rank correlation of a score with the gain over the contexts, label and all of them together left out."""
    names = [name for name in scores if name in gains and name not in (LABEL, ALL)]
    if len(names) < 4:
        return f"- ({len(names)} contexts)"
    found = stats.spearmanr([scores[name][kind][0] for name in names], [gains[name].value for name in names])
    return f"{found.statistic:+.2f} (p {found.pvalue:.2f}, {len(names)} contexts)"


def section(rows: Sequence[Row], data: str) -> list[str]:
    """All about a data set."""
    scores = scores_of(rows, data)
    runs = [row for row in rows if row["data"] == data and "arm" in row]
    if not runs:
        return [f"## {data}", "", "Not run yet.", ""]
    arms = list(dict.fromkeys([*sorted(scores, key=lambda name: -scores[name]["score"][0]), *(r["arm"] for r in runs)]))
    made = {measure: {arm: gain(rows, data, arm, DISC, measure) for arm in arms if arm != DISC} for measure in METRICS}
    known = {m: {arm: found for arm, found in of.items() if found is not None} for m, of in made.items()}
    seeds = sorted({row["seed"] for row in runs})
    disc = [row["counts"] for row in runs if row["arm"] == DISC]
    own = {m: float(np.mean([value_of(m, np.array(counts[m]).sum(0)) for counts in disc])) for m in METRICS}
    lines = [
        f"## {data}",
        "",
        f"Seeds {', '.join(map(str, seeds))}; {len(disc[0]['top1'])} test videos; Disc: Top-1 {own['top1']:.3f}, "
        f"segment-F1 {own['segment_f1']:.3f}.",
        "",
    ]
    titles = ("context", "score, nats", "tells of the label", "shown by the slot", "gain, Top-1", "gain, segment-F1")
    lines += table(
        titles,
        (
            [
                arm,
                *(band(scores[arm][kind]) if arm in scores else "-" for kind in ("score", "told", "shown")),
                *(cell(made[measure][arm]) for measure in METRICS),
            ]
            for arm in arms
            if arm != DISC
        ),
    )
    if not scores:
        return [*lines, "Contexts are not scored yet.", ""]
    kinds = {"score": "score", "told": "tells of the label", "shown": "shown by the slot"}
    lines += table(
        ("rank correlation with", *(f"gain, {title}" for title in METRICS.values())),
        ([title, *(correlation(scores, known[measure], kind) for measure in METRICS)] for kind, title in kinds.items()),
    )
    return [*lines, *choice(rows, data, scores, arms, list(known["top1"]))]


def choice(
    rows: Sequence[Row], data: str, scores: dict[str, dict[str, FloatArray]], arms: Sequence[str], run: Sequence[str]
) -> list[str]:
    """The context of the best score beside its rivals; of those that are ``run`` only."""
    candidates = [name for name in scores if name not in (LABEL, ALL) and name in run]
    if not candidates:
        return []
    best = max(candidates, key=lambda name: scores[name]["score"][0])
    rivals = [HAND, ALL, LABEL, *(arm for arm in arms if arm.endswith(BY_AGREEMENT))]
    return table(
        (f"chosen ({best}) minus", *METRICS.values()),
        (
            [rival, *(cell(gain(rows, data, best, rival, measure)) for measure in METRICS)]
            for rival in rivals
            if rival != best and rival in run
        ),
    )


def main() -> None:
    """Take rows along, write README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, help="folder of run.py's rows")
    parser.add_argument("--target", type=Path, default=HERE, help="folder of results and README.md")
    given = parser.parse_args()
    stored = given.target / "results" / STORED.name
    if given.rows:
        make_folder(stored.parent)
        with atomic_write(stored) as part:
            part.write_text("".join(f"{json.dumps(row)}\n" for row in read(given.rows)), encoding="utf-8")
    rows = [json.loads(line) for line in stored.read_text(encoding="utf-8").splitlines()]
    text = (HERE / "introduction.md").read_text(encoding="utf-8").rstrip()
    lines = [line for data in DATA for line in section(rows, data)]
    (given.target / "README.md").write_text("\n".join([text, "", *lines]).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

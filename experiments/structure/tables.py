"""README.md and retrieval.png of what is stored.

python experiments/structure/tables.py --rows runs/structure/rows     # takes new rows along
python experiments/structure/tables.py                                # from results/rows.jsonl alone
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from names import ARMS, DATA, WRITING

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.compare.statistics import Difference, FloatArray, Paired, difference_of, pair, prior_of

HERE = Path(__file__).resolve().parent
STORED = HERE / "results" / "rows.jsonl"
Row = dict[str, Any]
MARGIN = 0.01
NAMES = {
    "bag@1": "same bag, R@1",
    "bag_own@1": "and same action, R@1",
    "order@1": "same order, R@1",
    "order@5": "R@5",
    "procedure@1": "procedure, R@1",
    "procedure@5": "R@5",
    "text@1": "text, R@1",
    "text@5": "R@5",
    "top1": "Top-1",
    "segment_f1": "segment-F1",
    "votes_top1": "Top-1 with votes",
    "votes_segment_f1": "segment-F1 with votes",
}
"""Measures in the order of the tables, as columns are called."""
PAIRS = (
    ("alignment", "mean"),
    ("alignment", "none"),
    ("mean", "none"),
    ("alignment", "permuted"),
    ("match", "alignment"),
)
COMPARED = ("bag@1", "bag_own@1", "order@1", "procedure@1", "top1", "segment_f1")
COLORS = {"none": "0.6", "mean": "#c8641e", "alignment": "#1f5fa8", "permuted": "#b9a3c7", "match": "#5a8f4e"}


def value_of(measure: str, counts: FloatArray) -> FloatArray:
    """Scores (...) of summed counts (..., K)."""
    with np.errstate(invalid="ignore"):
        if measure.endswith("segment_f1"):
            return np.asarray(2 * counts[..., 0] / (counts[..., 1] + counts[..., 2]))
        return np.asarray(counts[..., 0] / counts[..., 1])


def counts_of(rows: Iterable[Row], measure: str) -> FloatArray | None:
    """Counts of some runs, (S, V, K); None if nothing was asked."""
    found = [row["counts"][measure] for row in rows if measure in row["counts"]]
    counts = np.array(found, dtype=np.float64)
    return counts if len(found) and counts[..., 1].sum() else None


def of_arm(rows: Iterable[Row], data: str, arm: str) -> dict[int, Row]:
    """Test runs of an arm by seed."""
    kept = [row for row in rows if row["data"] == data and row["split"] == "test" and row["arm"]["name"] == arm]
    return {row["seed"]: row for row in sorted(kept, key=lambda row: int(row["seed"]))}


def paired(first: dict[int, Row], second: dict[int, Row], measure: str, other: str | None = None) -> Paired | None:
    """Two arms over their common seeds and units; ``other`` is the measure of the second, if it is another."""
    seeds = sorted(first.keys() & second.keys())
    ours = counts_of([first[seed] for seed in seeds], measure)
    theirs = counts_of([second[seed] for seed in seeds], other or measure)
    if ours is None or theirs is None:
        return None
    return pair(ours, theirs, lambda counts: value_of(measure, counts))


def differences(rows: Sequence[Row], data: str) -> dict[tuple[str, str, str], Difference]:
    """Differences of arms with intervals; how much seeds differ is known from all pairs of a measure together."""
    arms = {arm: of_arm(rows, data, arm) for arm in ARMS}
    found: dict[tuple[str, str, str], Difference] = {}
    for measure in COMPARED:
        made = {(one, two): paired(arms[one], arms[two], measure) for one, two in PAIRS}
        known = {key: one for key, one in made.items() if one is not None and len(one.by_seed) > 1}
        prior = prior_of(list(known.values()))
        found |= {(*key, measure): difference_of(one, MARGIN, prior) for key, one in known.items()}
    return found


def cell(found: Difference | None) -> str:
    """A difference and its interval."""
    return "-" if found is None else f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """Lines of a table, numbers to the right."""
    head = [f"| {' | '.join(titles)} |", f"|{' --- |' * left}{' ---: |' * (len(titles) - left)}"]
    return [*head, *(f"| {' | '.join(row)} |" for row in rows), ""]


def data_lines(rows: Sequence[Row], data: str) -> list[str]:
    """The section of a data set."""
    arms = {arm: of_arm(rows, data, arm) for arm in ARMS}
    some = [row for found in arms.values() for row in found.values()]
    if not some:
        return [f"## {data}", "", f"Not run: `python experiments/structure/run.py {data} test`.", ""]
    shown = [measure for measure in NAMES if counts_of(some, measure) is not None]
    asked = {m: int(np.array(some[0]["counts"][m])[:, 1].sum()) for m in shown if "@" in m}
    means = []
    for arm, found in arms.items():
        if found:
            every = [counts_of(found.values(), measure) for measure in shown]
            scores = [
                "-" if counts is None else f"{value_of(measure, counts.sum(1)).mean():.3f}"
                for measure, counts in zip(shown, every, strict=True)
            ]
            first = next(iter(found.values()))["arm"]
            setting = "-" if arm == "none" else f"{first['weight']:g}"
            setting += f", {first['factor']:g}" if first["factor"] else ""
            means.append([arm, setting, str(len(found)), *scores])
    found_ = differences(rows, data)
    compared = [m for m in COMPARED if any(key[2] == m for key in found_)]
    pairs = [
        [f"{one} - {two}", *(cell(found_.get((one, two, measure))) for measure in compared)]
        for one, two in PAIRS
        if any(key[:2] == (one, two) for key in found_)
    ]
    voted = []
    for arm, found in arms.items():
        cells = [paired(found, found, f"votes_{m}", m) for m in ("top1", "segment_f1")] if found else []
        if cells and all(one is not None for one in cells):
            weights = ", ".join(f"{row['votes_weight']:g}" for row in found.values())
            voted.append([arm, *(cell(difference_of(one, MARGIN)) for one in cells if one is not None), weights])
    questions = ", ".join(f"{name.split('@')[0]} {count}" for name, count in asked.items() if name.endswith("@1"))
    tested = [row for row in rows if row["data"] == data and row["split"] == "test"]
    about = {name: ", ".join(sorted({str(row[name]) for row in tested})) for name in ("commit", "hardware", "torch")}
    seconds = np.median([row["fit_seconds"] for row in some])
    return [
        f"## {data}",
        "",
        f"Questions: {questions}.",
        "",
        *table(["arm", "weight, delta", "seeds", *(NAMES[m] for m in shown)], means, 2),
        *table(["difference, 95 % interval", *(NAMES[m] for m in compared)], pairs),
        *table(["votes of the nearest, less none", "Top-1", "segment-F1", "weights chosen"], voted),
        *told_lines(rows, data),
        f"Commit {about['commit']}, torch {about['torch']}, {about['hardware']}; {seconds:.0f} s a training (median).",
        "",
    ]


def told_lines(rows: Sequence[Row], data: str) -> list[str]:
    """Generative classifiers with and without the texts of similar moments."""
    plain, told = (of_arm(rows, data, arm) for arm in WRITING)
    measures = ("top1", "segment_f1")
    made = [paired(told, plain, measure) for measure in measures]
    if not told or any(one is None for one in made):
        return []
    means = []
    for name, found in (("Gen", plain), ("Gen, told of similar moments", told)):
        counts = [counts_of(found.values(), measure) for measure in measures]
        scores = [
            f"{value_of(measure, every.sum(1)).mean():.3f}"
            for measure, every in zip(measures, counts, strict=True)
            if every is not None
        ]
        means.append([name, str(len(found)), *scores])
    last = ["difference", str(len(told)), *(cell(difference_of(one, MARGIN)) for one in made if one is not None)]
    return table(["generative", "seeds", *(NAMES[measure] for measure in measures)], [*means, last])


def chosen_lines(rows: Sequence[Row]) -> list[str]:
    """What was tried on validation."""
    tried = [row for row in rows if row["split"] == "val"]
    made = []
    for row in sorted(
        tried, key=lambda row: (row["data"], row["arm"]["name"], row["arm"]["factor"], row["arm"]["weight"])
    ):
        arm = row["arm"]
        scores = [np.array(row["counts"][measure], dtype=np.float64).sum(0) for measure in ("bag@1", "top1")]
        shares = [f"{score[0] / score[1]:.3f}" for score in scores]
        made.append([row["data"], arm["name"], f"{arm['weight']:g}", f"{arm['factor']:g}", *shares])
    return table(["data", "arm", "weight", "delta", "same bag, R@1", "Top-1"], made, 2)


def draw(rows: Sequence[Row]) -> Figure:
    """A panel a data set: order among the same bag of every arm, a dot a seed."""
    names = [data for data in DATA if any(row["data"] == data and row["split"] == "test" for row in rows)]
    figure = Figure(figsize=(3.1 * len(names), 2.7), layout="constrained")
    FigureCanvasAgg(figure)
    for panel, data in zip(figure.subplots(1, len(names), squeeze=False).flat, names, strict=True):
        for place, arm in enumerate(ARMS):
            counts = counts_of(of_arm(rows, data, arm).values(), "bag@1")
            if counts is not None:
                scores = value_of("bag@1", counts.sum(1))
                panel.bar(place, scores.mean(), color=COLORS[arm], width=0.7)
                panel.plot([place] * len(scores), scores, ".", color="0.15", markersize=4)
        panel.set_xticks(range(len(ARMS)), ARMS, fontsize=8, rotation=30)
        panel.set_title(data, fontsize=10, loc="left")
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("order among the same actions, R@1", fontsize=8)
    return figure


def stored_rows(fresh: Path | None) -> list[Row]:
    """What is stored, with the rows of a folder in place of older ones of their name; stored again."""
    lines = STORED.read_text(encoding="utf-8").splitlines() if STORED.is_file() else []
    found = {row["name"]: row for row in map(json.loads, lines)}
    for path in sorted(fresh.glob("*.json")) if fresh else []:
        row = json.loads(path.read_text(encoding="utf-8"))
        whole = {name: [[int(part) for part in unit] for unit in units] for name, units in row["counts"].items()}
        found[path.stem] = {"name": path.stem, **row, "counts": whole}
    make_folder(STORED.parent)
    with atomic_write(STORED) as part:
        part.write_text(
            "".join(json.dumps(found[name], separators=(",", ":")) + "\n" for name in sorted(found)), encoding="utf-8"
        )
    return [found[name] for name in sorted(found)]


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, help="folder of rows to take along")
    rows = stored_rows(parser.parse_args().rows)
    text = (HERE / "introduction.md").read_text(encoding="utf-8")
    sections = [line for data in DATA for line in data_lines(rows, data)]
    for mark, lines in (("data", sections), ("chosen", chosen_lines(rows))):
        text = text.replace(f"<!-- {mark} -->", "\n".join(lines).strip())
    with atomic_write(HERE / "README.md") as part:
        part.write_text(text.rstrip() + "\n", encoding="utf-8")
    if any(row["split"] == "test" for row in rows):
        with atomic_write(HERE / "retrieval.png") as part:
            draw(rows).savefig(part, format="png", dpi=110)


if __name__ == "__main__":
    main()

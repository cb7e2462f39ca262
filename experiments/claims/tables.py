"""README.md of the claims, from what is stored: verdicts are corrected over all claims of a data set and metric."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import paper
from claims import HERE, RESULTS, Claim, Data, read_claims, read_data
from label_table import label_lines
from pareto import draw
from ranking import ranking_lines
from records import BASELINES, LATENCY, Row, Stored, baseline_rows, read, stored, variant_rows

from gad_lightning.atomic import atomic_write
from gad_lightning.compare.statistics import (
    Verdict,
    holm,
    joint_verdict,
    verdict_of_more,
    verdict_of_same,
)

TARGET = 0.005
"""Half-width that the pilot asks for."""
LEAST_SEEDS = 5
"""With fewer nothing is decided."""
Key = tuple[int, int, str]
"""Claim, number of the part, metric."""


def verdicts(results: Iterable[Stored]) -> dict[Key, Verdict]:
    """Verdict of every part and metric of one data set; Holm's correction is over its claims, metric by metric."""
    cells: dict[str, dict[Key, tuple[Stored, Stored]]] = {}
    for result in results:
        for number, part in enumerate(result["parts"]):
            for metric, cell in part["metrics"].items():
                cells.setdefault(metric, {})[(result["claim"], number, metric)] = (part, cell)
    found: dict[Key, Verdict] = {}
    for family in cells.values():
        differ = holm({key: cell["p"] for key, (_, cell) in family.items()})
        same = holm({key: cell["p_equivalent"] for key, (_, cell) in family.items()})
        for key, (part, cell) in family.items():
            if cell["num_seeds"] < LEAST_SEEDS:
                found[key] = "undecided"
            elif part["kind"] == "more":
                found[key] = verdict_of_more(cell["value"], differ[key], same[key])
            else:
                found[key] = verdict_of_same(cell["value"], differ[key], same[key], part["margin"])
    return found


def claim_lines(
    claim: Claim, data: dict[str, Data], by_data: dict[str, dict[int, Stored]], baselines: dict[str, list[Row]]
) -> list[str]:
    """The section of a claim."""
    lines = [f"## {claim.number}. {claim.question}", "", f"Paper: {claim.paper}.", ""]
    if claim.missing:
        return [*lines, f"Not run. {claim.missing}", ""]
    if claim.command:
        measured = label_lines(claim.figures)
        return [*lines, *(measured or [f"Not run here; the command is `{claim.command}`.", ""])]
    for name in claim.on:
        result = by_data.get(name, {}).get(claim.number)
        if result is None:
            command = f"python experiments/claims/run.py {claim.number} --data {name}"
            lines += [f"**{name}**: not run; the command is `{command}`.", ""]
            continue
        decided = verdicts(result for number, result in by_data[name].items() if number)
        lines += result_lines(claim, data[name], result, decided, baselines[name])
    return lines


def result_lines(
    claim: Claim, data: Data, result: Stored, decided: dict[Key, Verdict], baselines: list[Row]
) -> list[str]:
    """The tables of a claim on one data set."""
    ours = {key[1:]: verdict for key, verdict in decided.items() if key[0] == claim.number}
    overall = {
        m: joint_verdict([verdict for (_, metric), verdict in ours.items() if metric == m]) for m in claim.metrics
    }
    says = "; ".join(f"{metric}: **{verdict}**" for metric, verdict in overall.items())
    lines = [f"**{data.name}** ({data.what}): {says}.", ""]
    lines += [
        f"| variant | weights | seeds | {' | '.join(claim.metrics)} |",
        f"| --- |{' ---: |' * (len(claim.metrics) + 2)}",
    ]
    variants = [Row(name, name, False, result["parameters"][name], s) for name, s in result["scores"].items()]
    for row in (*variants, *baselines):
        means = [f"{row.mean(metric):.3f}" for metric in claim.metrics]
        seeds = len(row.scores[claim.metrics[0]])
        lines.append(f"| {row.title} | {row.parameters / 1e6:.2f} M | {seeds} | {' | '.join(means)} |")
    lines += ["", f"| part | {' | '.join(claim.metrics)} |", f"| --- |{' --- |' * len(claim.metrics)}"]
    for number, part in enumerate(result["parts"]):
        sign = ">" if part["kind"] == "more" else f"= (within {part['margin']:g})"
        cells = []
        for metric in claim.metrics:
            cell = part["metrics"][metric]
            cells.append(f"{cell['value']:+.3f} [{cell['low']:+.3f}, {cell['high']:+.3f}] {ours[(number, metric)]}")
        lines.append(f"| {part['first']} {sign} {part['second']} | {' | '.join(cells)} |")
    failed = f" Failed: {', '.join(result['failed'])}." if result["failed"] else ""
    model = claim.models.get(data.name, data.model)
    about = f"Commit {', '.join(result['commit'])}; {', '.join(result['hardware'])}; {model}.{failed}"
    return [*lines, "", about, ""]


def pilot_lines(result: Stored | None, data: Data) -> list[str]:
    """What the pilot of a data set says of the seeds and test videos that it takes."""
    if result is None:
        return []
    seeds, commit = max(map(len, result["seeds"].values())), ", ".join(result["commit"])
    titles = (
        "difference",
        "metric",
        "value",
        "half-width",
        "seeds for 0.005",
        "videos alone leave",
        "videos for 0.005",
    )
    lines = [f"{data.name}, {seeds} seeds, commit {commit}, {', '.join(result['hardware'])}:", ""]
    lines += [f"| {' | '.join(titles)} |", "| --- | --- |" + " ---: |" * 5]
    for part in result["parts"]:
        for metric, cell in part["metrics"].items():
            half, left = (cell["high"] - cell["low"]) / 2, cell["half_width_of_videos"]
            videos = round(cell["num_videos"] * (left / TARGET) ** 2)
            row = (f"{cell['value']:+.3f}", f"{half:.3f}", f"{cell['seeds_needed']:,}", f"{left:.3f}", f"{videos:,}")
            lines.append(f"| {part['first']} - {part['second']} | {metric} | {' | '.join(row)} |")
    return [*lines, ""]


def overview(claims: dict[int, Claim], by_data: dict[str, dict[int, Stored]]) -> list[str]:
    """One row a claim, one column a data set: the verdicts of the metrics in turn."""
    names = list(by_data)
    lines = [f"| claim | {' | '.join(names)} |", f"| --- |{' --- |' * len(names)}"]
    for number, claim in claims.items():
        cells = []
        for name in names:
            if number not in by_data[name]:
                cells.append("not run" if name in claim.on else "see below" if claim.command else "-")
                continue
            decided = verdicts(result for other, result in by_data[name].items() if other)
            each = [
                joint_verdict([v for (n, _, metric), v in decided.items() if n == number and metric == m])
                for m in claim.metrics
            ]
            cells.append(" / ".join(each))
        lines.append(f"| {number}. {claim.question.split('?')[0].split(':')[0]}? | {' | '.join(cells)} |")
    return lines


def write_readme(results: Path = RESULTS) -> None:
    """Write the document and its pictures; beside the results, if they are not the stored ones."""
    claims, data = read_claims(), read_data()
    by_data = {name: stored(name, results) for name in data}
    extra = {name: [read(results / name / file) for file in (BASELINES, LATENCY)] for name in data}
    baselines = {name: baseline_rows(result) for name, (result, _) in extra.items()}
    claimed = {name: [r for number, r in found.items() if number] for name, found in by_data.items()}  # no pilot
    variants = {name: variant_rows(found) for name, found in claimed.items()}
    run = {name: len({v for result in found.values() for v in result["scores"]}) for name, found in by_data.items()}
    tried = [f"- {name}: {number} variants have been run. {data[name].tried}" for name, number in run.items()]
    pilots = [line for name in data for line in pilot_lines(by_data[name].get(0), data[name])]
    sections = [line for claim in claims.values() for line in claim_lines(claim, data, by_data, baselines)]
    target = HERE if results == RESULTS else results
    ranked: list[str] = []
    for name, (result, latency) in extra.items():
        ranked += ranking_lines(data[name], variants[name], result, latency)
        draw(name, [*variants[name], *baselines[name]], latency, target)
    text = (HERE / "introduction.md").read_text(encoding="utf-8")
    for mark, lines in (
        ("overview", overview(claims, by_data)),
        ("pilot", pilots or ["Not run: `python experiments/claims/run.py pilot --data kitchen`."]),
        ("tried", tried),
        ("headlines", paper.lines()),
        ("baselines", ranked),
        ("claims", sections),
    ):
        text = text.replace(f"<!-- {mark} -->", "\n".join(lines).strip())
    with atomic_write(target / "README.md") as part:
        part.write_text(text.rstrip() + "\n", encoding="utf-8")

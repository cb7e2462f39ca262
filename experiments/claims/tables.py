"""README.md of the claims, from what is stored: verdicts are corrected over all claims of a data set and metric."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import paper
from claims import HERE, RESULTS, Claim, Data, read_claims, read_data
from label_table import label_lines
from pareto import draw
from ranking import ranking_lines
from records import BASELINES, LATENCY, Row, Stored, baseline_rows, pair_of, read, stored, variant_rows
from verdicts import Verdict, holm, joint_verdict, verdict_of_more, verdict_of_same

from gad_lightning.atomic import atomic_write
from gad_lightning.compare.statistics import Difference, difference_of, margin_at, prior_of
from gad_lightning.results.standard import ERROR_DIVERSITY

TARGET = 0.005
"""Half-width that the pilot asks for."""
LEAST_SEEDS = 5
"""With fewer nothing is decided."""
ALPHA = 0.025
"""Of each of the two tests, that of a difference and that of none that matters: together 5 % a claim and metric."""
Key = tuple[int, int, str]
"""Claim, number of the part, metric."""


def assessed(results: Iterable[Stored], people: int = 0) -> dict[Key, Difference]:
    """Interval and tests of every part and metric of one data set, by what all of its comparisons say of the seeds.

    Args:
        results: of the claims.
        people: see :class:`~claims.Data`.
    """
    parts = [(r, number, part) for r in results for number, part in enumerate(r["parts"])]
    pairs = {
        (r["claim"], number, metric): (part, pair_of(r, part, metric, people or None))
        for r, number, part in parts
        for metric in part["metrics"]
    }
    found: dict[Key, Difference] = {}
    for metric in dict.fromkeys(key[2] for key in pairs):
        of_metric = {key: both for key, both in pairs.items() if key[2] == metric}
        once = {frozenset((part["first"], part["second"])): pair for part, pair in of_metric.values()}
        prior = prior_of(list(once.values()))
        for key, (part, pair) in of_metric.items():
            margin = part["margin"] if metric == ERROR_DIVERSITY.name else margin_at(pair.second, part["margin"])
            found[key] = difference_of(pair, margin, prior)
    return found


def is_equal(found: Difference) -> bool:
    """Whether the two were equal in every run: nothing is left to test."""
    return found.low == found.high == 0


def verdicts(results: Iterable[Stored], people: int = 0) -> dict[Key, Verdict]:
    """Verdict of every part and metric of one data set; Holm's correction is over a claim's parts, metric by metric."""
    stored_ = list(results)
    found = assessed(stored_, people)
    parts = {(r["claim"], number): part for r in stored_ for number, part in enumerate(r["parts"])}
    decided: dict[Key, Verdict] = {key: "holds" for key, one in found.items() if is_equal(one)}
    families: dict[tuple[int, str], list[Key]] = {}
    for key in found.keys() - decided.keys():
        families.setdefault((key[0], key[2]), []).append(key)
    for family in families.values():
        differ = holm({key: found[key].p for key in family})
        same = holm({key: found[key].p_equivalent for key in family})
        for key in family:
            one, kind = found[key], parts[key[:2]]["kind"]
            if one.num_seeds < LEAST_SEEDS:
                decided[key] = "undecided"
            elif kind == "more":
                decided[key] = verdict_of_more(one.value, differ[key], same[key], ALPHA)
            else:
                decided[key] = verdict_of_same(one.value, differ[key], same[key], one.margin, ALPHA)
    return decided


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
        of_data = [found for number, found in by_data[name].items() if number]
        cells, decided = assessed(of_data, data[name].people), verdicts(of_data, data[name].people)
        lines += result_lines(claim, data[name], result, cells, decided, baselines[name])
    return lines


def result_lines(
    claim: Claim,
    data: Data,
    result: Stored,
    found: dict[Key, Difference],
    decided: dict[Key, Verdict],
    baselines: list[Row],
) -> list[str]:
    """The tables of a claim on one data set."""
    ours = {key[1:]: verdict for key, verdict in decided.items() if key[0] == claim.number}
    overall = {
        m: joint_verdict([verdict for (_, metric), verdict in ours.items() if metric == m]) for m in claim.metrics
    }
    says = "; ".join(f"{metric}: **{verdict}**" for metric, verdict in overall.items())
    lines = [f"**{data.name}** ({data.what}): {says}.", ""]
    lines += [
        f"| variant | weights | {'folds' if data.folds else 'seeds'} | {' | '.join(claim.metrics)} |",
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
        number_cells = {metric: found[(claim.number, number, metric)] for metric in claim.metrics}
        cells = []
        for metric in claim.metrics:
            cell = number_cells[metric]
            cells.append(f"{cell.value:+.3f} [{cell.low:+.3f}, {cell.high:+.3f}] {ours[(number, metric)]}")
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
            people = read_data()[name].people if name in read_data() else 0
            decided = verdicts((result for other, result in by_data[name].items() if other), people)
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

"""The section on baselines: every variant and baseline of a data set in one table, and what follows from it."""

from __future__ import annotations

import numpy as np
from claims import METRICS, Data
from pareto import picture_of
from records import Row, Stored, baseline_rows, best, seeds_of

from gad_lightning.compare.statistics import mean_and_error


def ranking_lines(data: Data, variants: list[Row], result: Stored, latency: Stored) -> list[str]:
    """Table, conclusion and picture of one data set."""
    baselines = baseline_rows(result)
    if not baselines:
        command = f"python experiments/claims/run.py baselines --data {data.name}"
        return [f"**{data.name}**: not run; the command is `{command}`.", ""]
    lines = [
        f"**{data.name}** ({data.what}; {data.model}):",
        "",
        f"| | weights | ms a frame | seeds | {' | '.join(METRICS)} |",
        f"| --- |{' ---: |' * (len(METRICS) + 3)}",
    ]
    times = latency.get("milliseconds", {})
    for row in sorted([*variants, *baselines], key=lambda row: -row.mean(METRICS[0])):
        delay = f"{times[row.name]['median']:.2f}" if row.name in times else ""
        cells = [score_of(row, metric) for metric in METRICS]
        lines.append(
            f"| {row.title} | {row.parameters / 1e6:.2f} M | {delay} | {seeds_of(row)} | {' | '.join(cells)} |"
        )
    steps = ", ".join(f"{name} {number}" for name, number in result["steps"].items())
    where = f"commit {', '.join(result['commit'])}; {', '.join(result['hardware'])}"
    lines += ["", f"Baselines: window {result['window']} frames; steps {steps}; {where}.{about_times(latency)}", ""]
    lines += [*conclusion(data, variants, baselines, result.get("against", {})), ""]
    return [*lines, *picture_of(data.name, variants, baselines, latency)]


def score_of(row: Row, metric: str) -> str:
    """Mean and standard error over the seeds."""
    mean, error = mean_and_error(np.array(row.scores[metric]))
    return f"{mean:.3f}" if np.isnan(error) else f"{mean:.3f} ± {error:.3f}"


def about_times(latency: Stored) -> str:
    """Where the latency was measured."""
    if not latency:
        return ""
    return (
        f" Milliseconds: median of {latency['pushes']} frames of one live stream, {latency['threads']} thread(s), "
        f"{latency['hardware']}, commit {latency['commit']}."
    )


def conclusion(data: Data, variants: list[Row], baselines: list[Row], against: dict[str, Stored]) -> list[str]:
    """Whether a baseline has the highest mean, metric by metric, and what that means."""
    if not variants:
        return ["No variant is stored here yet that they could be compared with."]
    said, groups = [], {"clear": [], "open": [], "behind": []}
    for metric in METRICS:
        ours, theirs = best(baselines, metric), best(variants, metric)
        difference, cell = ours.mean(metric) - theirs.mean(metric), against.get(metric, {})
        paired = (cell.get("first"), cell.get("second")) == (ours.name, theirs.name)
        interval = (
            f" [{cell['low']:+.3f}, {cell['high']:+.3f}], paired over {cell['num_seeds']} seeds" if paired else ""
        )
        value = cell["value"] if paired else difference
        pair = f"{ours.title} {score_of(ours, metric)}, {theirs.title} {score_of(theirs, metric)}"
        said.append(f"- {metric}: {pair}; difference {value:+.3f}{interval}.")
        clear = paired and cell["low"] > 0
        groups["clear" if clear else "open" if difference > 0 else "behind"].append(metric)
    return [f"The best baseline against the best of {len(variants)} variants:", "", *said, "", meaning(data, groups)]


def meaning(data: Data, groups: dict[str, list[str]]) -> str:
    """What it means that a baseline leads beyond its interval, within it or without one, or does not lead."""
    sentences = []
    if groups["clear"]:
        sentences.append(
            f"**In {' and '.join(groups['clear'])} a baseline is better than every variant**: on this data the "
            f"language model ({data.model}), trained as it is here, adds nothing to a small network that knows no "
            "words, and what the claims find here are differences between ways of using a model that it does not need."
        )
    if groups["open"]:
        sentences.append(
            f"**In {' and '.join(groups['open'])} a baseline has the highest mean**, by less than its interval or with "
            "none at hand: it is not shown that the language model adds anything on this data."
        )
    if groups["behind"]:
        sentences.append(f"In {' and '.join(groups['behind'])} no baseline has the highest mean.")
    return " ".join(sentences)

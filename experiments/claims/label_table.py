"""The table of claim 12, from what ``experiments/bench/labels.py`` stored."""

from __future__ import annotations

from itertools import pairwise

from claims import ROOT
from records import Stored, read

BENCH = ROOT / "experiments" / "bench" / "results"
WAYS = {
    "published": "the published-style loop",
    "told": "ours, a tail that follows from verb and noun",
    "branching": "ours, every word decides",
}
LEAST = 1.02
"""Factor from one length to the next that is more than noise."""


def grows(speed_ups: list[float]) -> bool:
    """Whether every longer label has a speed-up that is larger than the one before, by more than noise.

    Example:
        >>> grows([1.5, 1.8, 2.4]), grows([1.5, 1.8, 1.81])
        (True, False)
    """
    return all(after > LEAST * before for before, after in pairwise(speed_ups))


def label_lines(name: str) -> list[str]:
    """Verdicts and table; none if it was not measured."""
    result: Stored = read(BENCH / name)
    if not result:
        return []
    rows, where, settings = result["labels"], result["surroundings"], result["settings"]
    says = []
    for way, title in WAYS.items():
        speed_ups = [row[way]["speed_up"] for row in rows]
        verdict = "grows, but not at every step" if speed_ups[-1] > LEAST * speed_ups[0] else "does not grow"
        verdict = "grows with every length" if grows(speed_ups) else verdict
        says.append(f"- {title}: **{verdict}**, from {speed_ups[0]:.2f} to {speed_ups[-1]:.2f}.")
    lines = [*says, "", f"| tokens a label | {' | '.join(WAYS.values())} | of these decided, ours |"]
    lines.append("| ---: |" + " ---: |" * (len(WAYS) + 1))
    for row in rows:
        cells = [f"{row[way]['Disc']:,.1f} / {row[way]['Gen']:,.1f} = {row[way]['speed_up']:.2f}" for way in WAYS]
        decided = " and ".join(f"{row[way]['decided']:.1f}" for way in list(WAYS)[1:])
        lines.append(f"| {row['tokens']} | {' | '.join(cells)} | {decided} |")
    about = (
        f"Frames a second, Disc / Gen; {settings['shape']} shape, random weights, a chunk of {settings['chunk']} frames"
    )
    machine = f"{where['device']}, {where['threads']} thread(s), commit {where['commit']}"
    return [*lines, "", f"{about}; {machine}.", ""]

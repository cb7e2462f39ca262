"""Training steps: window mode against one pass, and what writing answers costs.

    python experiments/bench/training.py --shape tiny

Window mode trains on a batch of windows with one query each, one pass on a chunk with a query at every frame; GAD
answers 1 query in 8 there, Gen all. A step is forward, backward and AdamW over what is trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import rate, seconds_of, store  # isort: skip  # sets how threads wait, before torch is there
import torch
from rich.console import Console
from rich.table import Table
from speed import CLASSES, KINDS, WIDTHS, WINDOW, chunk_batch, flops_of, prepare

from gad_lightning.classifiers.base import Classifier
from gad_lightning.types import Batch

SHARE = {"Disc": {}, "GAD": {"answer_fraction": 0.125}, "Gen": {}}


def step_of(classifier: Classifier, batch: Batch, mixed: bool = False) -> Any:
    """A training step as a function; ``mixed`` is autocast to bfloat16."""
    optimizer = torch.optim.AdamW([weight for weight in classifier.parameters() if weight.requires_grad], lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(classifier.device.type, torch.bfloat16, enabled=mixed):
            losses = [loss.sum / loss.count for loss in classifier.losses(batch).values()]
        torch.stack(losses).sum().backward()
        optimizer.step()

    return step


def windows_step(kind: str, given: argparse.Namespace) -> tuple[Callable[[], None], int]:
    """A step on windows, and the frames that it labels."""
    classifier = prepare(kind, given.shape, "window", given.chunk, given.device).train()
    frames = torch.randn(given.size, WINDOW, 1, WIDTHS[given.shape], device=given.device)
    batch = Batch.at_last_frames(frames, torch.full((given.size,), WINDOW))
    return step_of(classifier, labeled(batch)._replace(uniform=torch.zeros(given.size))), given.size


def one_pass_step(kind: str, given: argparse.Namespace) -> tuple[Callable[[], None], int]:
    """A step on a chunk, and the frames that it labels."""
    classifier = prepare(kind, given.shape, "one_pass", given.chunk, given.device, **SHARE[kind]).train()
    frames = torch.randn(WINDOW - 1 + given.chunk, WIDTHS[given.shape], device=given.device)
    return step_of(classifier, labeled(chunk_batch(frames, WINDOW - 1))), given.chunk


def labeled(batch: Batch) -> Batch:
    """The same labels for every classifier, and the same share of answers."""
    generator, queries = torch.Generator().manual_seed(0), len(batch.label)
    labels = torch.randint(1, CLASSES, (queries,), generator=generator)
    return batch._replace(label=labels, uniform=torch.rand(queries, generator=generator))


def measure(given: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Seconds of a step and labeled frames a second, all kinds in turns: a busy neighbor slows them all."""
    rows: dict[str, dict[str, float]] = {kind: {} for kind in given.kinds}
    for way, make_step in (("window", windows_step), ("one_pass", one_pass_step)):
        steps = {kind: make_step(kind, given) for kind in given.kinds}
        for kind, (step, _) in steps.items():
            rows[kind][f"{way}_flops"] = flops_of(step)  # and warms up
        times: dict[str, list[float]] = {kind: [] for kind in given.kinds}
        for _ in range(given.repeats):
            for kind, (step, _) in steps.items():
                times[kind] += seconds_of(step, 1, warm_up=0)
        for kind, (_, frames) in steps.items():
            rows[kind] |= {f"{way}_seconds": 1 / rate(times[kind], 1)}
            rows[kind][f"{way}_labeled_per_second"] = rate(times[kind], frames)
    return rows


def show(shape: str, results: dict[str, dict[str, float]]) -> None:
    """Print steps, and ratios to Disc: of the time, and of the operations, which no way of computing them changes."""
    table = Table(title=f"training steps, {shape} shape")
    columns = ("classifier", "window s/step", "x Disc", "one pass s/step", "x Disc", "operations, x Disc")
    for column in (*columns, "labeled/s, one pass over window"):
        table.add_column(column, justify="right")
    first = results[next(iter(results))]
    for kind, row in results.items():
        names = ("window_seconds", "one_pass_seconds", "one_pass_flops")
        ratios = [f"{row[name] / first[name]:.2f}" for name in names]
        gain = row["one_pass_labeled_per_second"] / row["window_labeled_per_second"]
        seconds = [f"{row[name]:.3f}" for name in names[:2]]
        table.add_row(kind, seconds[0], ratios[0], seconds[1], *ratios[1:], f"{gain:.1f}")
    Console().print(table)


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=WIDTHS, default="tiny")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", type=int, default=8, help="windows of a batch")
    parser.add_argument("--chunk", type=int, default=256, help="new frames of the chunk")
    parser.add_argument("--repeats", type=int, default=5, help="turns, in each of which every step is timed")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    results = measure(given)
    show(given.shape, results)
    settings = {name: value for name, value in vars(given).items() if name != "output"}
    print(store(f"training_{given.shape}_{given.device}", {"settings": settings, "steps": results}, given.output))


if __name__ == "__main__":
    main()
